"""What methods do to backbones: finding layers, holding other weights, running a part of a network again."""
