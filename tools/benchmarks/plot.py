"""The picture: how small a store makes a run, against how fast it takes it in."""
import dataclasses
import math
from xml.sax.saxutils import escape

from .peers import all_peers

WIDTH, HEIGHT = 900, 470
PANELS = [("adam_f32", "Weights and both moments of Adam, float32"),
          ("tune", "Fine-tuning with the lower half frozen, float32")]
INK, FAINT, GRID, PEER, OURS = "#1f2933", "#6b7680", "#e4e8ec", "#5b7a99", "#c2410c"
LETTER = 7.0  # Width of a letter of a label, about: what keeps labels apart.


@dataclasses.dataclass
class Point:
    title: str
    speed: float
    ratio: float
    is_ours: bool


@dataclasses.dataclass
class Box:
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other):
        return (self.left < other.right and other.left < self.right
                and self.top < other.bottom and other.top < self.bottom)


def points_of(ratios, name):
    stores = [("pol", "archive.import.speed", f"archive.ratio.{name}")]
    stores += [(peer.title, f"archive.peer.{peer.name}.speed", f"archive.peer.{peer.name}.ratio.{name}")
               for peer in all_peers()]
    return [Point(title, ratios[speed], ratios[ratio], title == "pol")
            for title, speed, ratio in stores if speed in ratios and ratio in ratios]


class Panel:
    """One chart: speed from left to right by powers, ratio upwards."""

    def __init__(self, left, points):
        self.left, self.right, self.top, self.bottom = left, left + 375, 92, 372
        self.points = points
        self.slowest = min(0.03, *(point.speed / 1.2 for point in points))
        self.fastest = max(1.5, *(point.speed * 1.2 for point in points))
        self.highest = 1 + 1.12 * max(point.ratio - 1 for point in points) + 0.02
        self.lowest = 1 - 0.06 * (self.highest - 1)
        self.parts = []

    def x(self, speed):
        share = math.log(speed / self.slowest) / math.log(self.fastest / self.slowest)
        return self.left + share * (self.right - self.left)

    def y(self, ratio):
        share = (ratio - self.lowest) / (self.highest - self.lowest)
        return self.bottom - share * (self.bottom - self.top)

    def text(self, x, y, content, colour=FAINT, size=12, anchor="middle", weight="normal"):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" font-size="{size}" '
                          f'text-anchor="{anchor}" font-weight="{weight}">{escape(content)}</text>')

    def line(self, x1, y1, x2, y2, colour, dashes=""):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
                          f'stroke="{colour}" stroke-dasharray="{dashes}"/>')

    def axes(self):
        for speed in (0.03, 0.1, 0.3, 1):
            self.line(self.x(speed), self.top, self.x(speed), self.bottom, GRID)
            self.text(self.x(speed), self.bottom + 18, f"{speed:g}")
        step = next(step for step in (0.05, 0.1, 0.2, 0.5, 1) if (self.highest - 1) / step <= 8)
        for count in range(math.floor((self.highest - 1) / step) + 1):
            ratio = 1 + count * step
            self.line(self.left, self.y(ratio), self.right, self.y(ratio), GRID)
            self.text(self.left - 8, self.y(ratio) + 4, f"{ratio:.2f}".rstrip("0").rstrip("."),
                      anchor="end")
        self.line(self.left, self.bottom, self.right, self.bottom, FAINT)
        self.line(self.x(1), self.top, self.x(1), self.bottom, FAINT, "3 4")

    def labelled(self):
        """Marks, and beside each its name where nothing else stands."""
        taken = [Box(self.x(p.speed) - 6, self.y(p.ratio) - 6, self.x(p.speed) + 6, self.y(p.ratio) + 6)
                 for p in self.points]
        for point in sorted(self.points, key=lambda point: not point.is_ours):
            x, y = self.x(point.speed), self.y(point.ratio)
            colour, size = (OURS, 7) if point.is_ours else (PEER, 4.5)
            width = LETTER * len(point.title) * (1.2 if point.is_ours else 1)
            box, anchor, at = self.free_place(x, y, width, taken)
            taken.append(box)
            if abs(at[1] - 4 - y) > 22:
                self.line(x, y, at[0], at[1] - (9 if at[1] > y else -3), GRID)
            self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size}" fill="{colour}"/>')
            self.text(*at, point.title, colour, 14 if point.is_ours else 12, anchor,
                      "bold" if point.is_ours else "normal")

    def free_place(self, x, y, width, taken):
        places = [("start", x + 10, y + 4), ("end", x - 10, y + 4), ("middle", x, y - 11),
                  ("middle", x, y + 20)]
        places += [("middle", x, y - 11 - 14 * step) for step in range(1, 6)]
        places += [("middle", x, y + 20 + 14 * step) for step in range(1, 6)]
        boxes = []
        for anchor, at_x, at_y in places:
            left = {"start": at_x, "end": at_x - width, "middle": at_x - width / 2}[anchor]
            boxes.append((Box(left, at_y - 11, left + width, at_y + 3), anchor, (at_x, at_y)))
        inside = [one for one in boxes
                  if one[0].left >= self.left and one[0].right <= self.right + 12
                  and one[0].top >= self.top and one[0].bottom <= self.bottom]
        for one in inside:
            if not any(one[0].overlaps(other) for other in taken):
                return one
        return (inside or boxes)[0]

    def drawn(self, title):
        self.text(self.left, self.top - 14, title, INK, 13, "start", "bold")
        self.axes()
        self.labelled()
        return "\n".join(self.parts)


def drawn(rows, where):
    """The SVG document.

    Args:
        rows: those of `archive`; stores of which a figure is missing are left out.
        where: the machine, for the line below.
    """
    ratios = {one["id"]: one["ratio"] for one in rows}
    left, charts = 60, []
    for name, title in PANELS:
        points = points_of(ratios, name)
        if points:
            charts.append(Panel(left, points).drawn(title))
        left += 440
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"
  font-family="Helvetica, Arial, 'DejaVu Sans', sans-serif">
<rect width="100%" height="100%" fill="white"/>
<text x="24" y="34" fill="{INK}" font-size="18" font-weight="bold">Training checkpoints: how small, and how fast</text>
<text x="24" y="55" fill="{FAINT}" font-size="12">Upwards: raw bytes over stored bytes. To the right: ingest by processor time, over the speed of SHA-256 on one core (1 = dashed).</text>
{chr(10).join(charts)}
<text x="24" y="{HEIGHT - 42}" fill="{FAINT}" font-size="12">Speeds are of the run on the left in both charts. restic encrypts; cp and TensorStore (zarr3) hash nothing.</text>
<text x="24" y="{HEIGHT - 22}" fill="{FAINT}" font-size="12">tools/bench archive --plot, on {escape(where)}</text>
</svg>
"""
