"""Records: annotations, readings and the project file that keeps them."""
