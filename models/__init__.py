"""Speech models shipped with the project, and the recipe that trains the demonstration model."""
