"""The demo in a browser: sliders and pictures around a ``Session``. Needs gradio."""

from __future__ import annotations

import atexit
import base64
import io
import os
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.control import Axis, Level, level_text
from benchmark.data.sources import open_set
from benchmark.demo.session import SIDE, Session
from benchmark.errors import UserError
from benchmark.report import words

STEP = 0.01
"""How far a slider moves at least."""
LOCAL = {
    "server_name": "127.0.0.1",
    "share": False,
    "ssr_mode": False,
    "footer_links": [],
    "max_file_size": "50mb",
    "quiet": True,
    "prevent_thread_lock": True,
}
"""To this machine alone, through no one else's, and without a second server process."""
PAGE = {"api_visibility": "private"}
"""What answers the page alone: it keeps images in this process, and is no interface for programs."""
QUICK = {"show_progress": "hidden", "trigger_mode": "always_last", "queue": False, **PAGE}
"""How events that follow a moving slider are sent: at once, and only the last of a backlog."""

CSS = """
input:is([type="range"], [type="checkbox"]):focus-visible {
  outline: 2px solid currentcolor !important;
  outline-offset: 2px;
}
.pictures { display: flex; gap: 12px; align-items: flex-end; }
.pictures figure { margin: 0; min-width: 0; }
.pictures img { width: 100%; image-rendering: pixelated; }
@media (max-width: 640px) {
  #shown { order: -1; }
  .pictures { overflow-x: auto; }
  .pictures figure { flex: none; }
}
"""
"""A ring where the keyboard is, which gradio takes away. Pictures in one row; on a phone above the
controls, so that a slider is seen to do something."""

UPLOADS = "dialbench-demo-"
"""How folders of uploads begin."""

SAID = "() => { document.getElementById('said').setAttribute('role', 'status'); }"
"""So that screen readers are told what the line above the pictures says; gradio has no name for it."""

Chosen = tuple[str, str]
"""The image that is shown, and what is said where there is none."""
NOTHING: Chosen = ("", "Choose an image.")

WORKER = ThreadPoolExecutor(1)
"""torch keeps threads of its own for every thread that calls it; gradio calls from many."""


def launch(session: Session, port: int | None) -> None:
    """Serves the demo to this machine alone until it is interrupted.

    Args:
        session: What it shows.
        port: Where; None for the first free one from 7860.

    Raises:
        UserError: If the port is taken.
    """
    page = build(session)
    try:
        _, address, _ = page.launch(**LOCAL, server_port=port, **look())
    except (OSError, OverflowError) as error:
        raise UserError(f"port {port} cannot be used; choose another with --port") from error
    print(f"{address} (Ctrl-C ends it)", flush=True)
    page.block_thread()


def look() -> dict[str, Any]:
    """Returns how the page looks; its fonts are those of the system: others would be fetched."""
    theme = _gradio().themes.Base(font=["system-ui", "sans-serif"], font_mono=["monospace"])
    return {"theme": theme, "css": CSS}


def _gradio() -> Any:
    # Read when gradio is imported: no telemetry, and no look-up of newer versions.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    if UPLOADS not in os.environ.get("GRADIO_TEMP_DIR", ""):
        # Files are called after their content: of two demos the first to end removed the other's. Nor
        # is what lies in somebody else's folder an upload.
        own = tempfile.mkdtemp(prefix=UPLOADS, dir=os.environ.get("GRADIO_TEMP_DIR"))
        atexit.register(shutil.rmtree, own, True)
        os.environ["GRADIO_TEMP_DIR"] = own
    import gradio

    return gradio


def build(session: Session) -> Any:
    """Returns the page as ``gradio.Blocks``."""
    gr = _gradio()
    task, names, count = session.task, list(session.methods), len(session.turned)
    with gr.Blocks(
        title=f"dialbench demo: {task.name}",
        analytics_enabled=False,
        delete_cache=(600, 600),
        fill_width=True,
    ) as page:
        gr.Markdown(f"# {task.name}: {task.summary}")
        image = gr.State(NOTHING)
        with gr.Row():
            with gr.Column(scale=1, min_width=280):
                own = gr.Image(
                    label="Image", sources=["upload", "clipboard"], height=220, format="png"
                )
                gr.Markdown(f"Larger images are cut to {SIDE} x {SIDE} around their centre.")
                degrade = gr.Checkbox(
                    True, label="Degrade it as the task does", visible=session.degrades
                )
                true = [_slider(gr, axis, "Degraded at", session.varies) for axis in session.turned]
                follow = gr.Checkbox(
                    session.varies, label="The dial follows", visible=session.varies
                )
                dial = [_slider(gr, axis, "Dial") for axis in session.turned]
                left = gr.Dropdown(names, value=names[0], label="Left method")
                right = gr.Dropdown(
                    names, value=names[min(1, len(names) - 1)], label="Right method"
                )
            with gr.Column(scale=3, elem_id="shown"):
                said = gr.Markdown(elem_id="said")
                shown = gr.HTML()
        controls = [image, degrade, follow, left, right, *true, *dial]
        answers = [shown, said, follow, *dial]

        def draw(
            chosen: Chosen, degraded: bool, following: bool, one: str, other: str, *values: float
        ) -> list[Any]:
            set_true, set_dial = values[:count], values[count:]
            key, trouble = chosen
            if not key:
                return ["", trouble, following, *set_dial]
            level = _true(session, degraded, set_true)
            if session.varies and degraded and following:
                set_dial = set_true
            at = session.level(set_dial)
            lines = [f"dial at {_level(session, at)}"]
            if session.varies and level is not None:
                lines.insert(0, f"degraded at {_level(session, level)}")
            said_of = session.given_said(key, level)
            # An input that is smaller than the outputs is shown as large, so that parts can be compared.
            scale = session.task.scale
            pictures = [_figure(_caption("Input", said_of), session.given(key, level), scale)]
            for name in (one, other):
                output, text = session.restored(key, level, name, at)
                pictures.append(_figure(_caption(name, text), output))
            return [_row(pictures), " · ".join(lines), following, *set_dial]

        def turn(chosen: Chosen, degraded: bool, following: bool, *others: Any) -> list[Any]:
            # Not to the dial itself: it has moved on by now, and an answer would set it back.
            return draw(chosen, degraded, False, *others)[:-count]

        # Unprocessed: gradio would decode the file, and shorten 16 bits without a word.
        taken = own.change(
            _told(lambda file: take(session, file)), own, image, preprocess=False, **QUICK
        )
        taken.then(_told(draw), controls, answers, **QUICK)
        for control in (*true, degrade, follow, left, right):
            control.input(_told(draw), controls, answers, **QUICK)
        for control in dial:
            control.input(_told(turn), controls, answers[:-count], **QUICK)
        page.load(
            lambda: open_set("builtin", "test", crop=256).pictures[1].read(), None, own, **PAGE
        )
        page.load(None, js=SAID, **PAGE)
        if session.spatial:
            _painting(gr, session, [image, degrade, *true], [*dial], taken)
    return page


def _painting(gr: Any, session: Session, given: list[Any], dial: list[Any], taken: Any) -> None:
    """Adds a picture to paint on; where it is painted the first dial has another level.

    Args:
        gr: The module gradio.
        session: What is shown.
        given: The controls of the input: image, whether it is degraded, true level.
        dial: The sliders of the dial, which hold where nothing is painted.
        taken: The event after which there is another image.
    """
    count = len(session.turned)
    with gr.Accordion("Paint another level", open=False), gr.Row():
        with gr.Column(scale=1, min_width=280):
            gr.Markdown(
                "Paint over the parts that are to have the level of the slider below; the rest keeps the "
                "dial's. Only where there is paint matters, not its colour."
            )
            method = gr.Dropdown(session.spatial, value=session.spatial[0], label="Method")
            inside = _slider(gr, session.turned[0], "Where it is painted", value=1.0)
            fresh = gr.Button("Clear, and take the input as it is now")
        editor = gr.ImageEditor(
            label="Paint here", sources=(), transforms=(), layers=False, format="png", scale=2
        )
        output = _picture(gr, "Output", scale=2)

    def start(chosen: Chosen, degraded: bool, *values: float) -> Any:
        key = chosen[0]
        return session.given(key, _true(session, degraded, values)) if key else None

    def draw(
        where: np.ndarray | None,
        name: str,
        high: float,
        chosen: Chosen,
        degraded: bool,
        *values: float,
    ) -> Any:
        key = chosen[0]
        if not key or where is None:
            return None
        level, outside = _true(session, degraded, values[:count]), values[count:]
        if not where.any():
            return session.restored(key, level, name, session.level(outside))[0]
        dials = session.level(outside), session.level((high, *outside[1:]))
        return session.painted(key, level, name, dials, where)[0]

    # Unprocessed: gradio would fail at the empty file that its editor sends when the picture goes. What
    # is painted is read at every event, since strokes alone need not be one.
    where = gr.State(None)
    wanted = [where, method, inside, *given, *dial]
    taken.then(_told(start), given, editor, **QUICK)
    fresh.click(_told(start), given, editor, **QUICK)
    strokes = (editor.change, editor.input)
    for control in (*strokes, method.input, inside.input, *(one.input for one in dial)):
        read = control(_told(painting), editor, where, preprocess=False, **QUICK)
        read.then(_told(draw), wanted, output, **QUICK)


def _told(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a function that runs on the one thread that computes, and whose errors are shown."""

    def run(*values: Any) -> Any:
        try:
            return WORKER.submit(function, *values).result()
        except UserError as error:
            raise _gradio().Error(str(error), print_exception=False) from error

    return run


def take(session: Session, file: dict[str, Any] | None) -> Chosen:
    """Takes what was chosen in the browser; an image that is refused leaves none to be shown.

    Args:
        session: What it is added to.
        file: ``path`` in gradio's folder of uploads, and ``orig_name``; None if it was removed.
    """
    if file is None or not file["path"]:
        return NOTHING
    path = Path(file["path"])
    if not _is_upload(path):
        return NOTHING
    try:
        return session.opened(path.read_bytes(), file.get("orig_name") or path.name), ""
    except UserError as error:
        text = str(error)
        return "", f"{text[0].upper()}{text[1:]}."


def _is_upload(path: Path) -> bool:
    """Whether a file was uploaded; whoever calls the server names it, and nobody else checks.

    Gradio checks only paths that are marked as files.
    """
    return path.resolve().is_relative_to(Path(os.environ["GRADIO_TEMP_DIR"]).resolve())


def painting(sent: dict[str, Any] | None) -> np.ndarray | None:
    """Returns how much every pixel is painted (h, w), from 0 to 1, or None if there is no picture.

    Args:
        sent: Files of the editor: ``background`` and ``layers``, each with its ``path``.
    """
    from PIL import Image

    if not sent or not sent["background"]:
        return None
    paths = [Path(one["path"]) for one in (sent["background"], *sent["layers"])]
    if not all(map(_is_upload, paths)):
        return None
    try:
        background, *layers = (np.asarray(Image.open(one).convert("RGBA")) for one in paths)
    except (OSError, Image.DecompressionBombError):
        return None
    return mask(layers, background)


def mask(layers: list[np.ndarray], background: np.ndarray) -> np.ndarray:
    """Returns how much every pixel is painted (h, w), from 0 to 1.

    Args:
        layers: RGBA (h, w, 4), uint8.
        background: What is painted on (h, w, c).
    """
    found = np.zeros(background.shape[:2], np.float32)
    for layer in layers:
        found = np.maximum(found, layer[..., 3].astype(np.float32) / 255)
    return found


def _row(figures: list[str]) -> str:
    """Returns pictures side by side as HTML."""
    # On a phone they scroll sideways, which a keyboard can do only where the focus is.
    named = 'tabindex="0" role="region" aria-label="Pictures"'
    return f'<div class="pictures" {named}>{"".join(figures)}</div>'


def _caption(name: str, said: str) -> str:
    return f"{name}: {said}" if said else name


def _figure(caption: str, pixels: np.ndarray, scale: int = 1) -> str:
    """Returns a picture, lossless, as HTML: inside the answer, it needs no further requests.

    Each of its pixels is as large as one of the screen's, but where there is no room.
    """
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
    source = f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
    text = escape(caption)
    return (
        f'<figure style="width:{scale * pixels.shape[1]}px"><figcaption>{text}</figcaption>'
        f'<img alt="{text}" src="{source}"></figure>'
    )


def _true(session: Session, degraded: bool, values: tuple[float, ...]) -> Level | None:
    """Returns the level that an image is degraded at, or None if it is taken as it is."""
    if not degraded or not session.degrades:
        return None
    return session.level(values) if session.varies else session.task.space.start


def _slider(gr: Any, axis: Axis, what: str, visible: bool = True, value: float = 0.5) -> Any:
    end = f"{axis.text(axis.end)} {axis.unit}".strip()
    label = f"{what} (0 = {axis.name} {axis.text(axis.start)}, 1 = {end})"
    if (axis.start, axis.end) == (0, 1) and not axis.names:
        label = f"{what}: {axis.name}"
    return gr.Slider(0, 1, value, step=STEP, visible=visible, label=label)


def _picture(gr: Any, label: str, scale: int = 1) -> Any:
    return gr.Image(
        label=label, format="png", interactive=False, buttons=["fullscreen"], scale=scale
    )


def _level(session: Session, level: Level) -> str:
    text = level_text(level)
    if not words.has_physical(session.task):
        return text
    return f"{text} ({words.level_name(session.task, text)})"
