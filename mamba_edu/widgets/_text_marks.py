"""What figures over a few bytes share: `step` and `guess` point at a byte of `text`, or nowhere."""

from traitlets import HasTraits, TraitError, observe, validate


class TextMarks(HasTraits):
    """Holds `step` and `guess` inside the bytes of `text`: -1 is none. Shorter text takes them back to -1."""

    @validate("step", "guess")
    def _inside_the_text(self, proposal):
        last = len(self.text.encode("utf-8")) - 1
        if proposal.value > last:
            raise TraitError(
                f"The {proposal.trait.name!r} trait of a {type(self).__name__} instance expected -1 or a byte of the "
                f"text, 0 to {last}, not {proposal.value}."
            )
        return proposal.value

    @observe("text")
    def _back_into_the_text(self, change):
        length = len(self.text.encode("utf-8"))
        for name in ("step", "guess"):
            if getattr(self, name) >= length:
                setattr(self, name, -1)
