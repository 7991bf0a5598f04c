"""Computes tests/goldens/operators.npz with OpenCV's extra modules, in an environment of its own.

OpenCV's contrib wheel cannot be installed beside the OpenCV builds that pyiqa brings, so this script is
no part of the test suite and imports nothing of this project::

    python3 -m venv oracle-env
    oracle-env/bin/pip install opencv-contrib-python-headless==5.0.0.93 numpy pillow
    oracle-env/bin/python tests/operators/oracle.py FOLDER

FOLDER holds scikit-image's photographs ``coffee.png`` and ``astronaut.png`` (the folder ``data`` of the installed
package). Settings are chosen so that the definitions of both sides meet:

- l0: the picture lies on a flat frame. OpenCV takes gradients without wrapping round, but inverts them with
  a periodic transform, so that values drift where a border carries a gradient.
- rgf: the paper's rounds, built from OpenCV's joint bilateral filter, plane by plane (its distance of colours is the
  sum over channels), with a window of 4 sigma, in float (8-bit guidance would be rounded every round).
- rgfstart: OpenCV's own rolling guidance filter, which starts from the image instead of a Gaussian of it.
- wmf: colours are reduced to at most 200; of more than 256 OpenCV makes clusters.
- wmfgray: a gray picture, which needs no clusters; OpenCV's sigma is divided by the square root of 3, the
  length of a gray step in RGB.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

CROPS = {"coffee": (100, 180), "astronaut": (40, 180)}
SIDE = 64
FRAME = 16

L0 = (0.01, 0.1)
RGF = (2.0, 5.0)
WMF = (3,)
WMF_GRAY = (2, 7)


def l0(image: np.ndarray, lambda_: float) -> np.ndarray:
    smooth = cv2.ximgproc.l0Smooth(np.float32(image / 255), lambda_=lambda_, kappa=2.0)
    return eight_bits(smooth * 255)


def rgf(image: np.ndarray, sigma: float) -> np.ndarray:
    side = 2 * int(4 * sigma + 0.5) + 1

    def filtered(plane: np.ndarray) -> np.ndarray:
        guidance = cv2.GaussianBlur(plane, (side, side), sigma)
        for _ in range(3):
            guidance = cv2.ximgproc.jointBilateralFilter(guidance, plane, side, 0.05, sigma)
        return guidance

    return by_plane(filtered, image)


def rgf_from_image(image: np.ndarray, sigma: float) -> np.ndarray:
    side = 2 * int(4 * sigma + 0.5) + 1
    return by_plane(
        lambda plane: cv2.ximgproc.rollingGuidanceFilter(
            plane, d=side, sigmaColor=0.05, sigmaSpace=sigma, numOfIter=3
        ),
        image,
    )


def by_plane(filtered, image: np.ndarray) -> np.ndarray:
    planes = np.ascontiguousarray(np.float32(image / 255).transpose(2, 0, 1))
    return eight_bits(np.stack([filtered(plane) for plane in planes], axis=2) * 255)


def wmf(joint: np.ndarray, image: np.ndarray, radius: int, sigma: float) -> np.ndarray:
    cv2.setRNGSeed(0)
    return cv2.ximgproc.weightedMedianFilter(
        joint, image, radius, sigma=sigma, weightType=cv2.ximgproc.WMF_EXP
    )


def eight_bits(image: np.ndarray) -> np.ndarray:
    return np.round(np.clip(image, 0, 255)).astype(np.uint8)


def main(folder: Path) -> None:
    goldens = {"opencv": np.array(cv2.__version__)}
    for name, (top, left) in CROPS.items():
        photograph = np.array(Image.open(folder / f"{name}.png").convert("RGB"))
        crop = photograph[top : top + SIDE, left : left + SIDE]
        framed = np.pad(
            crop, ((FRAME, FRAME), (FRAME, FRAME), (0, 0)), "constant", constant_values=128
        )
        few = np.array(Image.fromarray(crop).quantize(200, kmeans=3).convert("RGB"))
        gray = np.array(Image.fromarray(crop).convert("L"))
        inner = slice(FRAME, FRAME + SIDE)
        goldens |= {f"{name}-crop": crop, f"{name}-few": few, f"{name}-gray": gray}
        goldens |= {f"{name}-l0-{value}": l0(framed, value)[inner, inner] for value in L0}
        goldens |= {f"{name}-rgf-{value}": rgf(crop, value) for value in RGF}
        goldens |= {f"{name}-rgfstart-{RGF[0]}": rgf_from_image(crop, RGF[0])}
        goldens |= {f"{name}-wmf-{value}": wmf(few, few, value, 25.5) for value in WMF}
        goldens |= {
            f"{name}-wmfgray-{value}": wmf(gray, gray, value, 25.5 / 3**0.5) for value in WMF_GRAY
        }
    path = Path(__file__).resolve().parents[1] / "goldens" / "operators.npz"
    np.savez_compressed(path, **goldens)
    print(path, path.stat().st_size)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
