#include <millrace/gpu/input_slot.h>

#include <millrace/core/error.h>
#include <millrace/gpu/kernels/layout.h>
#include <millrace/gpu/parameters.h>
#include <millrace/gpu/resident.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <numeric>
#include <utility>

namespace millrace::gpu {
namespace {

std::uint64_t unsigned_of(std::int64_t n) {
  return static_cast<std::uint64_t>(n);
}

nn::DeviceInputLayout checked(nn::DeviceInputLayout layout) {
  MILLRACE_CHECK(layout.capacity > 0, "a slot holds at least one sample");
  if (layout.pixels != DType::u8 && layout.pixels != DType::f32) {
    throw Error(concat("gpu: pixels of type ", to_string(layout.pixels),
                       " cannot be uploaded; u8 and f32 can"));
  }
  MILLRACE_CHECK(!layout.moves || (layout.resident != nullptr && layout.sample.rank() == 3),
                 "only resident images are moved");
  return layout;
}

/// Null where pixels come from the host.
const ResidentMemory* resident_of(const nn::DeviceInputLayout& layout, const Context* context) {
  if (layout.resident == nullptr) return nullptr;
  const auto* const resident = dynamic_cast<const ResidentMemory*>(layout.resident.get());
  MILLRACE_CHECK(resident != nullptr && resident->context() == context,
                 "the resident pixels are of another engine");
  MILLRACE_CHECK(resident->data() != nullptr, "allocate() of the resident pixels comes first");
  if (resident->sample() != layout.sample || resident->pixels() != layout.pixels) {
    throw Error(concat("gpu: resident samples of ", to_string(resident->pixels()), " ",
                       resident->sample(), " cannot fill a slot of ", to_string(layout.pixels), " ",
                       layout.sample));
  }
  return resident;
}

template <class T>
void copy_or(std::span<const T> values, std::span<T> to, const char* what, auto make) {
  MILLRACE_CHECK(values.empty() || values.size() >= to.size(), what, ": ", values.size(), " for ",
                 to.size(), " samples");
  if (values.empty()) {
    for (std::size_t i = 0; i < to.size(); ++i) to[i] = make(i);
  } else {
    std::copy_n(values.begin(), to.size(), to.begin());
  }
}

}  // namespace

std::int64_t target_width(const nn::DeviceInputLayout& layout) {
  return layout.learns_input ? layout.sample.elements() : layout.target_width;
}

std::int64_t weights_a_sample(const nn::DeviceInputLayout& layout) {
  return layout.weighs_outputs ? std::max<std::int64_t>(target_width(layout), 1) : 1;
}

InputPlaces places_of(const nn::DeviceInputLayout& layout, nn::Precision precision) {
  InputPlaces places;
  places.channels = layout.sample[-1];
  places.stored = padded(places.channels, precision);
  places.pixels_per_sample = layout.sample.elements() / places.channels;
  const auto place = [&](std::int64_t count, std::uint64_t element) {
    constexpr std::uint64_t kAlignment = 256;
    const InputPlaces::Place made{places.bytes, unsigned_of(count) * element};
    places.bytes += round_up(made.bytes, kAlignment);
    return made;
  };
  const std::int64_t n = layout.capacity;
  const std::int64_t values = n * layout.sample.elements();
  const bool is_resident = layout.resident != nullptr;
  places.pixels = place(is_resident ? 0 : values, size_of(layout.pixels));
  places.labels = place(
      layout.learns_input ? 0 : n * std::max<std::int64_t>(layout.target_width, 1), sizeof(float));
  places.weights = place(n * weights_a_sample(layout), sizeof(float));
  places.positions = place(n, sizeof(std::uint64_t));
  places.rows = place(is_resident ? n : 0, sizeof(std::uint32_t));
  places.moves = place(layout.moves ? n : 0, sizeof(nn::Move));
  places.factors = place(2 * places.channels, sizeof(float));
  places.input =
      place(n * places.pixels_per_sample * places.stored, size_of(nn::storage_of(precision)));
  places.input_float = place(layout.learns_input ? values : 0, sizeof(float));
  return places;
}

InputSlot::InputSlot(std::shared_ptr<Context> context, nn::DeviceInputLayout layout)
    : context_(std::move(context)),
      layout_(checked(std::move(layout))),
      resident_(resident_of(layout_, context_.get())),
      places_(places_of(layout_, context_->options.precision)) {
  Device& device = *context_->device;
  memory_ = device.allocate(Bytes{places_.bytes}, "a slot for batches");
  staging_ = device.allocate_pinned(Bytes{places_.input.offset - places_.labels.offset});
  upload_begins_ = device.make_event(true);
  uploaded_ = device.make_event(true);
  cast_begins_ = device.make_event(true);
  ready_ = device.make_event(true);
  consumed_ = device.make_event(false);
}

InputSlot::~InputSlot() {
  wait_for_host_ends();
  try {  // memory is not given back while a step reads it
    context_->waiter.wait(*consumed_, "a step");
  } catch (const std::exception&) {  // the device has gone, and nobody is left to be told
  }
}

InputMemory InputSlot::memory(std::int64_t first) const {
  const bool learns = layout_.learns_input;
  const auto row = [&](const InputPlaces::Place& place) {
    return at(place) + place.bytes / unsigned_of(layout_.capacity) * unsigned_of(first);
  };
  return {.input = row(places_.input),
          .labels = row(learns ? places_.input_float : places_.labels),
          .weights = reinterpret_cast<const float*>(row(places_.weights)),
          .positions = reinterpret_cast<const std::uint64_t*>(row(places_.positions)),
          .labels_are_indices = !learns && layout_.target_width == 0,
          .weighs_outputs = layout_.weighs_outputs};
}

Completion InputSlot::watched(const Completion& completion) {
  {
    const std::scoped_lock lock(mutex_);
    ++under_way_;
  }
  const auto promise = std::make_shared<Promise>();
  const Completion result = promise->completion();
  completion.then([this, promise](const Outcome& outcome) {
    {
      const std::scoped_lock lock(mutex_);
      --under_way_;
      ended_.notify_all();  // with the lock: the slot may go as soon as it is free
    }
    promise->end(outcome);
  });
  return result;
}

void InputSlot::wait_for_host_ends() {
  std::unique_lock lock(mutex_);
  ended_.wait(lock, [this] { return under_way_ == 0; });
}

// Staging is free: a batch is uploaded only after the slot's last completions have ended, but for
// callers that never waited.
Completion InputSlot::upload(const nn::HostSamples& samples) {
  check(samples);
  wait_for_host_ends();
  stage(samples);
  samples_ = samples.samples;

  Device& device = *context_->device;
  const std::scoped_lock lock(context_->copies_mutex);
  Stream& stream = *context_->copies;
  device.wait(stream, *consumed_);
  device.wait(stream, *ready_);  // of a batch that was cast and never stepped with
  device.record(*upload_begins_, stream);
  if (resident_ == nullptr) {
    const std::uint64_t bytes =
        places_.pixels.bytes / unsigned_of(layout_.capacity) * unsigned_of(samples.samples);
    device.copy(stream, at(places_.pixels), samples.pixels, Bytes{bytes}, Device::Copy::to_device);
  }
  device.copy(stream, at(places_.labels), staging_.data(),
              Bytes{places_.factors.offset - places_.labels.offset}, Device::Copy::to_device);
  device.record(*uploaded_, stream);
  return watched(
      context_->waiter.when_passed(*uploaded_, upload_begins_.get(), "the copy of a batch"));
}

void InputSlot::check(const nn::HostSamples& samples) const {
  MILLRACE_CHECK(samples.samples > 0 && samples.samples <= layout_.capacity, "a batch of ",
                 samples.samples, " samples for a slot of ", layout_.capacity);
  if (resident_ == nullptr) {
    MILLRACE_CHECK(samples.pixels != nullptr, "a batch without pixels cannot be uploaded");
    return;
  }
  const auto n = static_cast<std::size_t>(samples.samples);
  MILLRACE_CHECK(samples.rows.size() >= n, "rows: ", samples.rows.size(), " for ", n, " samples");
  const std::uint32_t largest = *std::ranges::max_element(samples.rows.first(n));
  if (largest >= resident_->samples()) {
    throw Error(
        concat("gpu: the batch asks for resident sample ", largest, " of ", resident_->samples()));
  }
}

void InputSlot::stage(const nn::HostSamples& samples) {
  const auto n = static_cast<std::size_t>(samples.samples);
  if (layout_.target_width > 0 && !layout_.learns_input) {
    const std::size_t count = n * static_cast<std::size_t>(layout_.target_width);
    copy_or(samples.targets, staged<float>(places_.labels, count), "targets",
            [](std::size_t) { return 0.0F; });
  } else if (!layout_.learns_input) {
    const auto to = staged<std::int32_t>(places_.labels, n);
    copy_or(samples.labels, to, "labels", [](std::size_t) { return 0; });
    const auto [smallest, largest] = std::ranges::minmax(to);
    labels_ = {smallest, largest};
  }
  const std::size_t weights = n * static_cast<std::size_t>(weights_a_sample(layout_));
  copy_or(samples.weights, staged<float>(places_.weights, weights), "weights",
          [](std::size_t) { return 1.0F; });
  copy_or(samples.positions, staged<std::uint64_t>(places_.positions, n), "positions",
          [](std::size_t i) { return std::uint64_t{i}; });
  if (resident_ == nullptr) return;
  std::ranges::copy(samples.rows.first(n), staged<std::uint32_t>(places_.rows, n).begin());
  if (!layout_.moves) return;
  copy_or(samples.moves, staged<nn::Move>(places_.moves, n), "moves",
          [](std::size_t) { return nn::Move{}; });
}

Completion InputSlot::cast(const nn::Normalization& normalization) {
  MILLRACE_CHECK(samples_ > 0, "upload() comes before cast()");
  const auto channels = static_cast<std::size_t>(places_.channels);
  MILLRACE_CHECK(normalization.factor.size() == channels && normalization.offset.size() == channels,
                 "a factor and an offset for each of ", channels, " channels");
  const bool is_new = normalization.factor != normalization_.factor ||
                      normalization.offset != normalization_.offset;
  if (is_new) stage_factors(normalization);

  Device& device = *context_->device;
  const std::scoped_lock lock(context_->casts_mutex);
  Stream& stream = *context_->casts;
  device.wait(stream, *uploaded_);
  device.record(*cast_begins_, stream);
  if (is_new) {
    device.copy(stream, at(places_.factors), staged<float>(places_.factors, 2 * channels).data(),
                Bytes{places_.factors.bytes}, Device::Copy::to_device);
  }
  queue_cast(normalization);
  device.record(*ready_, stream);
  return watched(context_->waiter.when_passed(*ready_, cast_begins_.get(), "the cast of a batch",
                                              Waiter::Line::casts));
}

void InputSlot::stage_factors(const nn::Normalization& normalization) {
  if (!normalization_.factor.empty()) wait_for_host_ends();  // the last ones may be on their way
  const std::size_t channels = normalization.factor.size();
  const auto to = staged<float>(places_.factors, 2 * channels);
  std::ranges::copy(normalization.factor, to.begin());
  std::ranges::copy(normalization.offset, to.subspan(channels).begin());
  normalization_ = normalization;
}

Launch InputSlot::normalized(const Plane& plane, const NormalizeArguments& how) const {
  const Type to = nn::storage_of(context_->options.precision);
  if (resident_ == nullptr) {
    return normalize(layout_.pixels, to, at(places_.pixels), at(places_.input), plane, how);
  }
  return gather(
      layout_.pixels, to, resident_->data(),
      {.rows = reinterpret_cast<const std::uint32_t*>(at(places_.rows)),
       .samples = samples_,
       .all = resident_->samples(),
       .moves = layout_.moves ? reinterpret_cast<const nn::Move*>(at(places_.moves)) : nullptr,
       .width = layout_.moves ? layout_.sample[1] : 0},
      at(places_.input), plane, how);
}

// Rows without a sample, as far as a step can read them, become zero: steps compute with them, and
// whatever else were there could be infinite or not a number.
void InputSlot::queue_cast(const nn::Normalization& normalization) {
  Device& device = *context_->device;
  Stream& stream = *context_->casts;
  const auto* const factor = reinterpret_cast<const float*>(at(places_.factors));
  const std::int64_t rows = samples_ * places_.pixels_per_sample;
  const Plane plane{rows, places_.channels, places_.stored};
  device.launch(
      stream, normalized(plane, {factor, factor + places_.channels, normalization.swaps_channels}));
  const std::int64_t most = layout_.step > 0 ? samples_ + layout_.step - 1 : layout_.capacity;
  const std::int64_t empty = std::min(most, layout_.capacity) - samples_;
  if (empty > 0) {
    const std::uint64_t sample = places_.input.bytes / unsigned_of(layout_.capacity);
    device.fill(stream, at(places_.input) + sample * unsigned_of(samples_), 0,
                Bytes{sample * unsigned_of(empty)});
  }
  if (!layout_.learns_input) return;
  device.launch(stream, unpack(nn::storage_of(context_->options.precision), at(places_.input),
                               reinterpret_cast<float*>(at(places_.input_float)), plane));
}

}  // namespace millrace::gpu
