#include <millrace/gpu/fake/allocations.h>

#include <millrace/core/error.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <new>

namespace millrace::gpu::recording {
namespace {

constexpr std::align_val_t kAlignment{256};

}  // namespace

void Intervals::add(std::uintptr_t begin, std::uintptr_t end) {
  auto it = ends_.upper_bound(begin);
  if (it != ends_.begin() && std::prev(it)->second >= begin) --it;
  while (it != ends_.end() && it->first <= end) {
    begin = std::min(begin, it->first);
    end = std::max(end, it->second);
    it = ends_.erase(it);
  }
  ends_.emplace_hint(it, begin, end);
}

bool Intervals::meets(std::uintptr_t begin, std::uintptr_t end) const {
  const auto it = ends_.lower_bound(end);  // what lies before it begins before `end`
  return it != ends_.begin() && std::prev(it)->second > begin;
}

std::byte* Allocations::add(Bytes size, const char* what, bool pinned) {
  const auto bytes = static_cast<std::size_t>(size.count);
  auto* const memory =
      static_cast<std::byte*>(::operator new(std::max<std::size_t>(bytes, 1), kAlignment));
  std::memset(memory, pinned ? 0 : 0xFF, bytes);
  const auto begin = reinterpret_cast<std::uintptr_t>(memory);
  allocations_[begin] = {begin, bytes, what, pinned};
  (pinned ? pinned_ : device_) += size;
  return memory;
}

void Allocations::remove(std::byte* memory) {
  const auto it = allocations_.find(reinterpret_cast<std::uintptr_t>(memory));
  MILLRACE_CHECK(it != allocations_.end(), "this memory is not allocated");
  (it->second.pinned ? pinned_ : device_) -= Bytes{it->second.bytes};
  allocations_.erase(it);
  ::operator delete(memory, kAlignment);
}

Allocation* Allocations::find(const void* begin, std::size_t bytes) {
  const auto at = reinterpret_cast<std::uintptr_t>(begin);
  auto it = allocations_.upper_bound(at);
  if (it == allocations_.begin()) return nullptr;
  Allocation& allocation = (--it)->second;
  const std::uintptr_t offset = at - allocation.begin;
  return offset <= allocation.bytes && bytes <= allocation.bytes - offset ? &allocation : nullptr;
}

std::string Allocations::place(const void* at) const {
  const auto address = reinterpret_cast<std::uintptr_t>(at);
  const auto it = allocations_.upper_bound(address);
  if (it != allocations_.begin()) {
    const Allocation& allocation = std::prev(it)->second;
    const std::uintptr_t offset = address - allocation.begin;
    if (offset <= allocation.bytes) return concat(allocation.what, " + ", offset);
  }
  return "memory that is not allocated";
}

}  // namespace millrace::gpu::recording
