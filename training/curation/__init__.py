"""Growing and cleaning a training set of pictures: the methods of article 003."""
