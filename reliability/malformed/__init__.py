"""Bad input at scale: made by code, tried on the preprocessing and on a live server, and counted."""
