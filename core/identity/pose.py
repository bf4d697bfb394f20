"""From five landmarks (eyes, nose, corners of the mouth): which way a head looks, and the upright face a recognition network wants."""

from __future__ import annotations

import math

import numpy as np

# Centimetres of MediaPipe's mean face: x to the right, y down, z away from the camera.
MEAN_FACE_5X3 = np.array([(-3.151, -2.625, -3.466), (3.151, -2.625, -3.466), (0.0, 0.8, -7.53), (-2.456, 4.343, -4.284), (2.456, 4.343, -4.284)])
# Where ArcFace's and SFace's training put the landmarks in a crop of 112 x 112 pixels.
UPRIGHT_5X2 = np.array([(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)])


def yaw_of(landmarks_5x2: np.ndarray) -> float:
    """Degrees, positive when the nose points to the picture's right: the rotation nearest to the affine map of the mean face onto the landmarks."""
    seen, model = landmarks_5x2 - landmarks_5x2.mean(0), MEAN_FACE_5X3 - MEAN_FACE_5X3.mean(0)
    affine = np.linalg.lstsq(model, seen, rcond=None)[0].T
    left, _, right = np.linalg.svd(affine, full_matrices=False)
    rows = left @ right
    forward = -np.vstack([rows, np.cross(rows[0], rows[1])])[:, 2]
    return math.degrees(math.atan2(forward[0], -forward[2]))


def roll_of(landmarks_5x2: np.ndarray) -> float:
    """Degrees by which a face leans clockwise: the turn of the similarity that would set it upright."""
    forward = upright_map(landmarks_5x2)
    return -math.degrees(math.atan2(forward[1, 0], forward[0, 0]))


def upright_map(landmarks_5x2: np.ndarray) -> np.ndarray:
    """The 2 x 3 similarity that brings the landmarks nearest to the upright ones (Umeyama, TPAMI 1991)."""
    source, target = landmarks_5x2.mean(0), UPRIGHT_5X2.mean(0)
    centred = landmarks_5x2 - source
    left, spread, right = np.linalg.svd((UPRIGHT_5X2 - target).T @ centred / len(centred))
    signs = np.array([1.0, np.sign(np.linalg.det(left @ right))])
    rotation = left * signs @ right
    scale = (spread * signs).sum() / centred.var(0).sum()
    return np.column_stack([scale * rotation, target - scale * rotation @ source])
