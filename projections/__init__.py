"""What can be read: views that follow the facts and can always be built again from them."""
