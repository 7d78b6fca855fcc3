#include "apps/inspect/image_facts.h"

#include "apps/common/machine.h"

#include <millrace/image/orientation.h>
#include <millrace/io/decode.h>
#include <millrace/io/watch.h>
#include <millrace/nodes/decode_into.h>
#include <millrace/pipeline/pipeline.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

namespace millrace::apps {
namespace {

constexpr std::uint32_t kChunk = 16;  // files, enough that a hop does not show

/// Files that follow each other in a data set.
struct Chunk {
  std::uint32_t first = 0, count = 0;
};

struct Looked {
  std::uint32_t count = 0;
  std::vector<std::string> unreadable;  ///< why, a line a file
};

/// A node: reads the headers of a chunk's files into their places of `facts`, or decodes them.
class Look {
 public:
  Look(std::shared_ptr<const Dataset> dataset, std::span<Facts> facts, bool decodes,
       DecoderOptions options)
      : dataset_(std::move(dataset)),
        facts_(facts),
        decodes_(decodes),
        options_(std::move(options)),
        decoder_(options_) {}
  Look(const Look& other) : Look(other.dataset_, other.facts_, other.decodes_, other.options_) {}
  Look& operator=(const Look&) = delete;

  Looked operator()(const Chunk& chunk, Context& context) {
    Looked looked{chunk.count, {}};
    for (std::uint32_t i = chunk.first; i < chunk.first + chunk.count; ++i) {
      if (context.is_stopping()) break;
      try {
        look_at(i, facts_[i]);
      } catch (const Error& error) {
        looked.unreadable.emplace_back(error.what());
      }
    }
    return looked;
  }

 private:
  void look_at(std::uint32_t sample, Facts& facts) {
    ImageInfo info = dataset_->info(sample, decoder_);
    if (swaps_axes(info.orientation)) std::swap(info.height, info.width);
    if (decodes_) {
      constexpr int kThumbnail = 32;
      thumbnail_.resize(std::size_t{kThumbnail} * kThumbnail * 3);
      const TensorView target(reinterpret_cast<std::byte*>(thumbnail_.data()),
                              {kThumbnail, kThumbnail, 3}, DType::u8);
      dataset_->load(sample, target, Filter::nearest, decoder_);
    }
    facts = {info.height, info.width, info.channels, info.format};
  }
  std::shared_ptr<const Dataset> dataset_;
  std::span<Facts> facts_;
  bool decodes_;
  DecoderOptions options_;
  Decoder decoder_;
  std::vector<std::uint8_t> thumbnail_;
};

}  // namespace

// list - look - collect, over all files of a data set.
std::vector<std::string> look_at_all(const std::shared_ptr<const Dataset>& dataset,
                                     std::span<Facts> facts, const InspectOptions& o, Show show,
                                     std::stop_token stop) {
  std::vector<std::string> unreadable;
  std::uint64_t done = 0;
  DecoderOptions decoder =
      decoders_within(Bytes{memory_limit().count / 2}, o.threads, o.max_image_pixels);
  decoder.exif_orientation = true;
  Counting counting(show, o.full ? "decoding" : "reading headers", "images");
  Pipeline p({.name = "inspect", .threads = o.threads});
  auto chunks =
      p.source({.name = "list"}, slots(4 * o.threads), [size = dataset->size()](Position) {
        return [next = 0U, size]() mutable -> std::optional<Chunk> {
          if (next == size) return std::nullopt;
          const Chunk chunk{next, std::min(kChunk, size - next)};
          next += chunk.count;
          return chunk;
        };
      });
  auto looked = p.then(chunks, {.name = "look", .concurrency = kAllThreads},
                       Look(dataset, facts, o.full, decoder));
  p.sink(looked, {.name = "collect"}, [&](const Looked& part) {
    unreadable.insert(unreadable.end(), part.unreadable.begin(), part.unreadable.end());
    counting(done += part.count);
  });
  if (p.run(std::move(stop)).stopped) throw Stopped("stopped on request");
  return unreadable;
}

}  // namespace millrace::apps
