"""The command `python -m genderclient`."""

from genderclient._cli import main

main()
