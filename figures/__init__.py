"""The one style of all plots: fonts, colors, light and dark."""
