"""Databases that came to 0007 before upgrades wrote a SQLite file anew are written anew once, by the upgrade itself."""

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing changes in the tables: ``upgrade_database`` writes the file anew before any step, this one included."""


def downgrade() -> None:
    """Nothing to take back."""
