"""How much memory engines and trainings take, told from the shape of a model before anything is loaded."""
