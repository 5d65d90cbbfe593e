"""What is done to instances to see whether answers hold: HELM's perturbations, seeded; ``table.py`` lists them."""
