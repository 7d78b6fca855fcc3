#pragma once
// How a convolution by Winograd's algorithm is divided, and where the pieces lie in its scratch
// memory. For each chunk of tiles: pixels are transformed to 64 points a tile and channel, and
// weights likewise, unless an earlier chunk did so; at each point a product of matrices,
// [tiles][from] by [from][to], which is where the time goes; its result is transformed to 6x6
// results. 6x6 results of 8x8 points take 1.8 multiplications a result (4x4: 2.25, direct: 9);
// larger tiles would round more coarsely.

#include <millrace/cpu/kernels/winograd.h>

#include <algorithm>
#include <cstdint>

namespace millrace::cpu {

inline constexpr std::int64_t kTile = 6;            // results a side
inline constexpr std::int64_t kPoints = kTile + 2;  // a side, and pixels read
inline constexpr std::int64_t kAllPoints = kPoints * kPoints;
inline constexpr std::int64_t kBlock = 16;  // channels that lie side by side
inline constexpr std::int64_t kGroup = 32;  // channels whose weights do
inline constexpr std::int64_t kPanel = 14;  // tiles of a product, at best

/// The G of the paper.
inline constexpr double kG[kPoints][3] = {{1, 0, 0},
                                          {-2.0 / 9, -2.0 / 9, -2.0 / 9},
                                          {-2.0 / 9, 2.0 / 9, -2.0 / 9},
                                          {1.0 / 90, 1.0 / 45, 2.0 / 45},
                                          {1.0 / 90, -1.0 / 45, 2.0 / 45},
                                          {32.0 / 45, 16.0 / 45, 8.0 / 45},
                                          {32.0 / 45, -16.0 / 45, 8.0 / 45},
                                          {0, 0, 1}};

struct WinogradPlan {
  explicit WinogradPlan(const Winograd& w) : shape(w) {
    tile_rows = (w.to_rows + kTile - 1) / kTile;
    tile_columns = (w.to_columns + kTile - 1) / kTile;
    tiles = w.images * tile_rows * tile_columns;
    from_blocks = w.from_channels / kBlock;
    keeps_weights = w.from_channels * w.to_channels <= kMostKept;
    together = keeps_weights ? kGroup : w.to_channels;
    const std::int64_t tile = kAllPoints * (w.from_channels + w.to_channels);
    chunk = even(keeps_weights ? kFewTiles : std::max(kFewTiles, kManyTiles / tile));
    // An odd number of cache lines between points: with a power of two they would share a cache
    // set.
    read_stride = from_blocks * chunk * kBlock + kBlock;
    made = kAllPoints * read_stride;
    made_stride = together * chunk + kBlock;
    weights = made + kAllPoints * made_stride;
    weights_group = kPoints * w.from_channels * kGroup;
    const std::int64_t rows =
        keeps_weights ? kPoints * (w.to_channels / kGroup) : together / kGroup;
    size = weights + weights_group * rows;
  }

  /// Where the first result of a tile is.
  struct TilePlace {
    std::int64_t image, row, column;
  };
  [[nodiscard]] TilePlace place(std::int64_t tile) const {
    const std::int64_t in_image = tile % (tile_rows * tile_columns);
    return {tile / (tile_rows * tile_columns), in_image / tile_columns * kTile,
            in_image % tile_columns * kTile};
  }
  /// Where the transformed weights of a row of points for channels from `channel` on lie.
  [[nodiscard]] std::int64_t weights_at(std::int64_t row, std::int64_t channel) const {
    const std::int64_t groups = together / kGroup;
    const std::int64_t first = keeps_weights ? (channel / together * kPoints + row) * groups : 0;
    return weights + (first + channel % together / kGroup) * weights_group;
  }

  Winograd shape;
  std::int64_t tile_rows = 0, tile_columns = 0, tiles = 0, from_blocks = 0;
  bool keeps_weights = false;  ///< once transformed, for all chunks
  std::int64_t chunk = 0;      ///< tiles of one
  std::int64_t together = 0;   ///< channels that are made before they are transformed
  // In the scratch memory, in values:
  std::int64_t read_stride = 0;  ///< [point] of [from_blocks][chunk][16], at the beginning
  std::int64_t made = 0, made_stride = 0;       ///< [point] of [together / 32][chunk][32]
  std::int64_t weights = 0, weights_group = 0;  ///< [8 columns of points][from_channels][32]
  std::int64_t size = 0;

 private:
  // Transformed weights of up to this many pairs of channels, 4 MiB, are kept for all chunks, and
  // chunks are small enough for a core's own cache. Of more pairs one row of points is transformed
  // at a time, for as many tiles as fit into the outer caches, so that each transform is used
  // often.
  static constexpr std::int64_t kMostKept = 128 * 128;
  static constexpr std::int64_t kFewTiles = 2 * kPanel;
  static constexpr std::int64_t kManyTiles = std::int64_t{10} << 20;  // values of their points

  /// Chunks of about the same number of tiles, at most `most` or a few more.
  [[nodiscard]] std::int64_t even(std::int64_t most) const {
    if (tiles <= most) return tiles;
    const std::int64_t chunks = (tiles + most - 1) / most;
    return ((tiles + chunks - 1) / chunks + kPanel - 1) / kPanel * kPanel;
  }
};

}  // namespace millrace::cpu
