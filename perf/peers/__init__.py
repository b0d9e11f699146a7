"""The same preprocessing and network behind what a user would pick instead of Triton."""
