#pragma once
// Memory for images that are too large for one decoder's own memory. All decoders of a run
// share it and take turns, so that it stands in the plan once however many threads decode.

#include <millrace/core/bytes.h>

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace millrace {

/// A number of bytes of which callers take parts and give them back. It counts; a caller that took
/// a part allocates. Thread-safe.
class SharedBytes {
 public:
  /// A part, given back on destruction.
  class Turn {
   public:
    Turn() = default;
    Turn(Turn&& other) noexcept;
    Turn& operator=(Turn&& other) noexcept;
    ~Turn();
    [[nodiscard]] Bytes bytes() const noexcept { return bytes_; }

   private:
    friend class SharedBytes;
    Turn(SharedBytes& owner, Bytes bytes) noexcept : owner_(&owner), bytes_(bytes) {}
    SharedBytes* owner_ = nullptr;
    Bytes bytes_{};
  };

  explicit SharedBytes(Bytes all) noexcept : all_(all), free_(all) {}

  /// Waits until so much is free and all who asked before were served, so that nobody waits for
  /// ever. Requires: no more than all(), and that the caller holds no other turn of this.
  [[nodiscard]] Turn take(Bytes bytes);
  [[nodiscard]] Bytes all() const noexcept { return all_; }
  /// How many callers wait in take().
  [[nodiscard]] std::uint64_t waiting() const;

 private:
  void give_back(Bytes bytes) noexcept;

  const Bytes all_;
  mutable std::mutex mutex_;         // guards what follows
  std::condition_variable changed_;  // something was given back, or somebody was served
  Bytes free_;
  std::uint64_t asked_ = 0, served_ = 0;  // callers
};

/// What the decoders of a run share. A decoder that needs parts of both takes that of `files` first
/// and keeps it: then a holder of a part of `images` never waits, and all make progress.
struct LargeImages {
  LargeImages(Bytes most_of_files, Bytes most_of_images) noexcept
      : files(most_of_files), images(most_of_images) {}

  SharedBytes files;   ///< as they were read
  SharedBytes images;  ///< and decoded

  [[nodiscard]] Bytes bytes() const noexcept { return files.all() + images.all(); }
};

}  // namespace millrace
