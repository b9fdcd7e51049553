"""What a program that uses the package calls."""
