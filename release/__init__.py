"""What a release needs: one version in all places, a changelog, and the files to publish."""
