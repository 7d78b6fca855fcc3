// Batches in your own loop, read by Eigen in place. What you learn: image_folder(), a pipeline that
// reads, decodes and batches on all cores, as a range; and an Eigen::Map over a batch, which copies
// nothing, since rows are dense and follow each other.
//
// The program computes a classifier in closed form: least squares from pixels to classes, from sums
// over batches. Only the sums must fit into memory, not the images.

#include <millrace/core/random.h>
#include <millrace/io/files.h>
#include <millrace/io/png.h>
#include <millrace/nodes/image_folder.h>

#include <Eigen/Dense>

#include <filesystem>
#include <iostream>

using namespace millrace;

constexpr int kSide = 8;
using Pixels = Eigen::Matrix<std::uint8_t, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// 200 grey images, brighter at the top or at the bottom.
std::filesystem::path draw_images() {
  const std::filesystem::path root = "gradients";
  for (const bool is_top : {false, true}) {
    create_folders(root / (is_top ? "top" : "bottom"));
    for (std::uint64_t i = 0; i < 100; ++i) {
      Random random(1, is_top, i, Purpose::synthetic);
      std::vector<std::uint8_t> pixels;
      for (std::uint64_t k = 0; k < kSide * kSide; ++k) {
        const std::uint64_t row = is_top ? kSide - 1 - k / kSide : k / kSide;
        pixels.push_back(static_cast<std::uint8_t>(8 * row + random.below(190)));
      }
      write_file(root / (is_top ? "top" : "bottom") / (std::to_string(i) + ".png"),
                 encode_png({pixels.data(), kSide, kSide, 1}));
    }
  }
  return root;
}

/// A batch as a matrix with a row for each image. The batch keeps its memory.
Eigen::Map<const Pixels> matrix_of(const HostBatch& batch) {
  return {batch.rows().as<std::uint8_t>().data(), batch.size, batch.sample.elements()};
}

/// -1 for class 0, 1 for class 1: the numbers to fit.
Eigen::VectorXd targets_of(const HostBatch& batch) {
  const Eigen::Map<const Eigen::VectorXi> labels(batch.labels.data(), batch.size);
  return 2 * labels.cast<double>().array() - 1;
}

int main() {
  const std::filesystem::path folder = draw_images();
  const ImageFolderOptions options{.size = kSide, .channels = 1, .batch = 32};

  // Features are the pixels and a 1 for the constant; the sums are X^T X and X^T y.
  constexpr int kFeatures = kSide * kSide + 1;
  Eigen::MatrixXd square = Eigen::MatrixXd::Zero(kFeatures, kFeatures);
  Eigen::VectorXd product = Eigen::VectorXd::Zero(kFeatures);
  Eigen::MatrixXd x;
  for (const Lease<HostBatch>& batch : image_folder(folder, options)) {
    x.setOnes(batch->size, kFeatures);
    x.leftCols(kFeatures - 1) = matrix_of(*batch).cast<double>() / 255;
    square.noalias() += x.transpose() * x;
    product.noalias() += x.transpose() * targets_of(*batch);
  }
  square.diagonal().array() += 0.1;  // ridge: there are few images
  const Eigen::VectorXd weights = square.ldlt().solve(product);

  Eigen::Index right = 0, seen = 0;
  for (const Lease<HostBatch>& batch : image_folder(folder, options)) {
    const auto images = matrix_of(*batch).cast<double>() / 255;  // not evaluated until it is used
    const Eigen::VectorXd scores =
        (images * weights.head(kFeatures - 1)).array() + weights[kFeatures - 1];
    right += (scores.array() * targets_of(*batch).array() > 0).count();
    seen += batch->size;
  }
  std::cout << right << " of " << seen << " images right\n";
  return seen == 200 && right > 190 ? 0 : 1;
}
