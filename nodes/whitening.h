#pragma once
// ZCA whitening: the rotation into principal axes, a scaling that makes all of them equal, and the
// rotation back, as one symmetric matrix.

#include <cstdint>
#include <vector>

namespace millrace {

/// The matrix U diag(sqrt(N) / (s + epsilon)) U^T of ImageDataGenerator.fit, where U and s are the
/// left singular vectors and singular values of the centred data [F][N], the first min(F, N) of
/// them. They come from `pairs`, the data times its transpose [F][F], as eigenvectors and square
/// roots of eigenvalues, by LAPACK in float64.
///
/// Singular values below 1.5e-8 sqrt(F) of the largest are rounding noise: directions in which the
/// samples do not vary, such as between two pixels that are always black. Where epsilon is not well
/// above that noise, such a direction is left out (0) instead of amplified a millionfold.
///
/// `pairs` is symmetric and its memory is used; two more matrices of this kind are allocated at the
/// peak. Throws Error if LAPACK finds no eigenvalues, std::bad_alloc.
[[nodiscard]] std::vector<float> zca_matrix(std::vector<double> pairs, std::uint64_t samples,
                                            double epsilon);

}  // namespace millrace
