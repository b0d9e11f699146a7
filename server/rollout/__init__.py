"""Which versions a model repository serves, and to whom: canary, promote, roll back."""
