#pragma once
// A slot for batches in device memory. Copies and casts run in streams of the engine's; on the
// device a cast waits for its copy, a step for its cast, and the next upload for the last step that
// read the slot. The host waits for none of them.

#include <millrace/core/buffer.h>
#include <millrace/gpu/context.h>
#include <millrace/gpu/kernels/input.h>
#include <millrace/gpu/program.h>
#include <millrace/gpu/resident.h>
#include <millrace/nn/device_input.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

namespace millrace::gpu {

/// Where what a slot has lies in its one block of device memory.
struct InputPlaces {
  struct Place {
    std::uint64_t offset = 0, bytes = 0;
  };
  Place pixels;  ///< as they are uploaded; nothing if they are resident
  // In this order, so that one copy brings them all:
  Place labels, weights, positions;
  Place rows, moves;  ///< of resident samples: their numbers, and how they are moved
  Place factors;      ///< of the normalization: factor, then offset
  Place input;        ///< what steps read
  Place input_float;  ///< the same as float32 targets, where the input is learnt
  std::uint64_t bytes = 0;
  std::int64_t channels = 0, stored = 0, pixels_per_sample = 0;
};
/// Values that a label of the layout has; 0: it is the number of a class.
[[nodiscard]] std::int64_t target_width(const nn::DeviceInputLayout& layout);
[[nodiscard]] std::int64_t weights_a_sample(const nn::DeviceInputLayout& layout);
[[nodiscard]] InputPlaces places_of(const nn::DeviceInputLayout& layout, nn::Precision precision);

class InputSlot : public nn::DeviceInput {
 public:
  InputSlot(std::shared_ptr<Context> context, nn::DeviceInputLayout layout);
  /// Waits until copies, casts and steps have ended, or the device has failed to answer.
  ~InputSlot() override;
  InputSlot(const InputSlot&) = delete;
  InputSlot& operator=(const InputSlot&) = delete;

  [[nodiscard]] Completion upload(const nn::HostSamples& samples) override;
  [[nodiscard]] Completion cast(const nn::Normalization& normalization) override;

  // For executors.
  [[nodiscard]] const Context* context() const { return context_.get(); }
  [[nodiscard]] const nn::DeviceInputLayout& layout() const { return layout_; }
  /// Of samples from `first` on.
  [[nodiscard]] InputMemory memory(std::int64_t first = 0) const;
  [[nodiscard]] const Event& ready() const { return *ready_; }
  /// To be recorded after the last work that reads the slot.
  [[nodiscard]] Event& consumed() { return *consumed_; }
  /// Of the batch that is there: how many, and the largest label there is, smallest first.
  [[nodiscard]] std::int64_t samples() const { return samples_; }
  struct LabelRange {
    std::int32_t smallest = 0, largest = 0;
  };
  [[nodiscard]] LabelRange labels() const { return labels_; }

 private:
  [[nodiscard]] std::byte* at(const InputPlaces::Place& place) const {
    return memory_.data() + place.offset;
  }
  /// What is uploaded to that place, in pinned memory.
  template <class T>
  [[nodiscard]] std::span<T> staged(const InputPlaces::Place& place, std::size_t count) const {
    auto* const begin = staging_.data() + (place.offset - places_.labels.offset);
    return {reinterpret_cast<T*>(begin), count};
  }
  void check(const nn::HostSamples& samples) const;
  void stage(const nn::HostSamples& samples);
  void stage_factors(const nn::Normalization& normalization);
  void queue_cast(const nn::Normalization& normalization);
  [[nodiscard]] Launch normalized(const Plane& plane, const NormalizeArguments& how) const;
  /// A completion of the same end that the slot hears of first.
  [[nodiscard]] Completion watched(const Completion& completion);
  void wait_for_host_ends();

  std::shared_ptr<Context> context_;
  nn::DeviceInputLayout layout_;
  const ResidentMemory* resident_;  // layout_.resident, or null
  InputPlaces places_;
  Buffer memory_;
  Buffer staging_;  // pinned: labels, weights, positions, rows, moves, factors
  std::unique_ptr<Event> upload_begins_, uploaded_, cast_begins_, ready_, consumed_;
  nn::Normalization normalization_;  // what the factors on the device are of
  std::int64_t samples_ = 0;
  LabelRange labels_;

  std::mutex mutex_;  // guards the rest
  std::condition_variable ended_;
  int under_way_ = 0;  // completions that have not ended
};

}  // namespace millrace::gpu
