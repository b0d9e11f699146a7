"""Parts of any training run: resuming, devices, prediction over a split."""
