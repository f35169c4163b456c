"""What stands behind ./dev. Standard library only, any Python from 3.9 on."""
