#include <millrace/nodes/whitening.h>

#include <millrace/core/error.h>

#include <cblas.h>
#include <lapacke.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <span>

namespace millrace {
namespace {

/// Replaces the symmetric matrix by its eigenvectors, one a row, and returns the eigenvalues,
/// smallest first. (LAPACK counts by columns, so its columns are our rows.)
std::vector<double> eigenvectors_of(std::vector<double>& matrix, std::size_t n) {
  std::vector<double> values(n);
  const auto order = static_cast<lapack_int>(n);
  const lapack_int info =
      LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'V', 'L', order, matrix.data(), order, values.data());
  if (info == LAPACK_WORK_MEMORY_ERROR || info == LAPACK_TRANSPOSE_MEMORY_ERROR) {
    throw std::bad_alloc();
  }
  if (info != 0) {
    throw Error(concat("whitening: LAPACK found no eigenvalues of the ", n, " x ", n,
                       " matrix of the samples (dsyevd gave ", info,
                       "); the samples hold values that are not finite"));
  }
  return values;
}

/// sqrt(N) / (s + epsilon) for each direction that is kept, otherwise 0; see the header.
std::vector<double> gains_of(std::span<const double> eigenvalues, double samples, double epsilon) {
  // What LAPACK promises of an eigenvalue: an error of the order of the largest one's rounding.
  const double noise =
      std::sqrt(std::numeric_limits<double>::epsilon() * static_cast<double>(eigenvalues.size()) *
                std::max(eigenvalues.back(), 0.0));
  std::vector<double> gains;
  for (const double eigenvalue : eigenvalues) {
    const double singular = std::sqrt(std::max(eigenvalue, 0.0));
    const bool is_noise = singular <= noise && epsilon < 100 * noise;
    gains.push_back(is_noise ? 0 : std::sqrt(samples) / (singular + epsilon));
  }
  return gains;
}

}  // namespace

std::vector<float> zca_matrix(std::vector<double> pairs, std::uint64_t samples, double epsilon) {
  const auto n = static_cast<std::size_t>(std::lround(std::sqrt(pairs.size())));
  MILLRACE_CHECK(n * n == pairs.size() && n > 0, "a matrix of ", pairs.size(), " numbers");
  const std::vector<double> eigenvalues = eigenvectors_of(pairs, n);
  const std::vector<double> gains = gains_of(eigenvalues, static_cast<double>(samples), epsilon);
  const auto kept = static_cast<std::size_t>(std::min<std::uint64_t>(n, samples));
  double* const first = pairs.data() + (n - kept) * n;
  for (std::size_t k = 0; k < kept; ++k) {
    for (std::size_t i = 0; i < n; ++i) first[k * n + i] *= std::sqrt(gains[n - kept + k]);
  }
  std::vector<double> product(n * n);
  const auto order = static_cast<int>(n);
  cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, order, static_cast<int>(kept), 1.0, first,
              order, 0.0, product.data(), order);
  std::vector<float> result(n * n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      result[i * n + j] = result[j * n + i] = static_cast<float>(product[i * n + j]);
    }
  }
  return result;
}

}  // namespace millrace
