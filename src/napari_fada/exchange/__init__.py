"""Exchange: records out of and into files of other forms, one module for each form."""
