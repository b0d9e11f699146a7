"""What any training run needs: resuming, devices, prediction over a split."""
