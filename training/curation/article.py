"""What article 003 reports, beside which the loop puts its own figures.

忘返, 恶心图片识别. It gives neither intervals nor sizes of its sets; the numbers of its tables are lost.
"""

from typing import Final

# 三.1: the quarter with the largest predicted loss, and the band of confidence: the labels, of all recalled pictures.
LABELED_SHARE: Final = 0.30
# 三.2: the share of the labels that were checked; of them, the share that was wrong; precision gained.
CHECKED_SHARE: Final = 0.05
WRONG_OF_CHECKED: Final = 0.71
CLEANING_PRECISION_GAIN: Final = 0.08
# 三.3: the cascade against its first network.
CASCADE_PRECISION_GAIN: Final = 0.21
CASCADE_RECALL_GAIN: Final = -0.043
# 五: the last version, at a prevalence far below a thousandth.
PRECISION: Final = 0.95
RECALL: Final = 0.94
