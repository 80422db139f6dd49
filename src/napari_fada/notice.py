"""What stands wherever a result is shown."""

NOTICE = "Research and annotation software. Not a medical device."
