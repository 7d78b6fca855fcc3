#include <millrace/gpu/gpu_executor.h>

#include <millrace/core/error.h>
#include <millrace/gpu/kernels/layout.h>
#include <millrace/gpu/update_arenas.h>

#include <cstddef>
#include <utility>

namespace millrace::gpu::detail {

Scalars GpuExecutor::read_scalars() const {
  Scalars* const scalars = arenas().scalars;
  device().copy(*stream_, pinned_scalars_.data(), scalars, Bytes{sizeof(Scalars)},
                Device::Copy::to_host);
  constexpr std::size_t kResults = offsetof(Scalars, results);
  device().fill(*stream_, reinterpret_cast<std::byte*>(scalars) + kResults, 0,
                Bytes{sizeof(Scalars) - kResults});
  wait_for_steps();
  return pinned_scalars_.as<Scalars>()[0];
}

void GpuExecutor::write_scalars(const Scalars& scalars) const {
  transfer_->write_bytes(arenas().scalars, std::as_bytes(std::span(&scalars, 1)));
}

float* GpuExecutor::arena_memory(nn::Arena arena, std::size_t values) const {
  check_allocated();
  const Arenas& all = arenas();
  const auto memory_of = [&]() -> float* {
    switch (arena) {
      case nn::Arena::parameters: return all.masters;
      case nn::Arena::gradients: return reinterpret_cast<float*>(all.gradients);
      case nn::Arena::state0:
      case nn::Arena::state1: return all.states[static_cast<std::size_t>(nn::state_index(arena))];
      case nn::Arena::masks: return all.masks;
      case nn::Arena::average: break;
    }
    return all.average;
  };
  float* const memory = memory_of();
  if (memory == nullptr) {
    throw Error(concat(
        "gpu: the model '", model_.name, "' was compiled without this arena; ",
        nn::to_string(options_.optimizer.kind), " keeps ", nn::state_arenas(options_.optimizer),
        " state arenas with these options, masks and an average are kept on request"));
  }
  const std::int64_t expected = places_.outside_elements(arena != nn::Arena::parameters);
  MILLRACE_CHECK(static_cast<std::int64_t>(values) == expected, "the arena has ", expected,
                 " values, not ", values);
  return memory;
}

float* GpuExecutor::seen_gradients() const {
  auto* const seen = reinterpret_cast<float*>(arenas().activations);
  const std::int64_t count = places_.trainable_elements();
  if (gradients_ == Gradients::written) {
    device().launch(*stream_, unpack(type(), arenas().gradients, seen, {1, count, count}));
  } else {
    device().launch(*stream_, read_gradients(type(), update_arenas(arenas(), update_size(places_)),
                                             options_.gradient, gradients_ == Gradients::given,
                                             seen, arenas().scalars));
  }
  return seen;
}

void GpuExecutor::read(nn::Arena arena, std::span<float> values) const {
  const float* memory = arena_memory(arena, values.size());
  settle();
  if (arena == nn::Arena::gradients) memory = seen_gradients();
  transfer_->read(memory, arena != nn::Arena::parameters, values);
}

void GpuExecutor::write(nn::Arena arena, std::span<const float> values) {
  float* const memory = arena_memory(arena, values.size());
  settle();
  if (arena == nn::Arena::gradients) {
    auto* const seen = reinterpret_cast<float*>(arenas().activations);
    transfer_->write(seen, true, values);
    const std::int64_t count = places_.trainable_elements();
    device().launch(*stream_, pack(type(), seen, arenas().gradients, {1, count, count}));
    gradients_ = Gradients::written;
    return;
  }
  transfer_->write(memory, arena != nn::Arena::parameters, values);
  if (arena != nn::Arena::parameters) return;
  is_initialised_ = true;
  if (has_copies()) {
    device().launch(
        *stream_, refresh_working(type(), arenas().masters, arenas().working, places_.elements()));
  }
  if (!keeps_average()) return;
  device().launch(*stream_, refresh_working(Type::f32, arenas().masters, arenas().average,
                                            places_.trainable_elements()));
}

// In the stream's order, so steps under way need not be waited for.
void GpuExecutor::swap_average() {
  nn::check_keeps_average(*this);
  check_allocated();
  device().launch(*stream_,
                  gpu::swap_average(type(), update_arenas(arenas(), update_size(places_))));
  is_swapped_ = !is_swapped_;
}

std::optional<nn::LossScaleState> GpuExecutor::loss_scale() const {
  if (!scales()) return std::nullopt;
  check_allocated();
  settle();
  return read_scalars().loss_scale;
}

void GpuExecutor::set_loss_scale(const nn::LossScaleState& state) {
  if (!scales()) return;
  check_allocated();
  settle();
  Scalars scalars = read_scalars();
  scalars.loss_scale = state;
  write_scalars(scalars);
}

}  // namespace millrace::gpu::detail
