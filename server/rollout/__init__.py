"""Changes which version of a backbone is served: canary, promote, roll back."""
