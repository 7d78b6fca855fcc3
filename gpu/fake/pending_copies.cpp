#include <millrace/gpu/fake/pending_copies.h>

#include <algorithm>
#include <cstring>

namespace millrace::gpu::recording {
namespace {

/// Eight bytes at a time; any change of one word changes it.
std::uint64_t hash_of(const void* memory, std::size_t bytes) {
  std::uint64_t hash = bytes;
  const auto* const from = static_cast<const std::byte*>(memory);
  for (std::size_t at = 0; at < bytes; at += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, from + at, std::min(sizeof word, bytes - at));
    hash = (hash ^ word) * 0x9E3779B97F4A7C15U;
    hash ^= hash >> 32;
  }
  return hash;
}

}  // namespace

void PendingCopies::reads(Place place, const void* from, std::size_t bytes) {
  sources_.push_back({place, from, bytes, hash_of(from, bytes)});
}

void PendingCopies::writes(Place place, void* to, const void* from, std::size_t bytes) {
  const auto* const begin = static_cast<const std::byte*>(from);
  results_.push_back({place, to, {begin, begin + bytes}});
  std::memset(to, 0xFF, bytes);
}

void PendingCopies::settle(const std::function<bool(Place)>& has_ended,
                           const std::function<void(const void* from)>& changed) {
  std::erase_if(sources_, [&](const Source& source) {
    if (!has_ended(source.place)) return false;
    if (hash_of(source.from, source.bytes) != source.hash) changed(source.from);
    return true;
  });
  std::erase_if(results_, [&](const Result& result) {
    if (!has_ended(result.place)) return false;
    std::memcpy(result.to, result.bytes.data(), result.bytes.size());
    return true;
  });
}

void PendingCopies::deliver(const void* begin, std::size_t bytes) {
  const auto from = reinterpret_cast<std::uintptr_t>(begin);
  std::erase_if(results_, [&](const Result& result) {
    const auto to = reinterpret_cast<std::uintptr_t>(result.to);
    if (to >= from + bytes || from >= to + result.bytes.size()) return false;
    std::memcpy(result.to, result.bytes.data(), result.bytes.size());
    return true;
  });
}

}  // namespace millrace::gpu::recording
