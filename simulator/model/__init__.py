"""The equations of the paper as pure functions of numpy arrays over providers.

The functions take arrays that broadcast against each other, and they return an array of the broadcast shape. None of
them knows the simulated time, a process or a random generator. Equation numbers are those of Kang et al.,
"Diffusion-based Auction Mechanism for Efficient Resource Management in 6G-enabled Vehicular Metaverses".
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
IntArray: TypeAlias = npt.NDArray[np.int64]
TextArray: TypeAlias = np.ndarray[tuple[int], np.dtype[np.object_]]
