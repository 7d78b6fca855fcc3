#pragma once
// Pools of preallocated slots and the leases that hold them. The buffer is the token: work enters a
// pipeline only with a free slot, and the slot is free again when its last lease is dropped, so
// memory is bounded by construction. Pools also stand alone, in a plain oneTBB flow graph.

#include <millrace/core/bytes.h>
#include <millrace/pipeline/budget.h>

#include <atomic>
#include <concepts>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace millrace {

namespace detail {

class PoolCore;

/// A slot without its type: the count of its owners and the way back.
struct SlotBase {
  virtual ~SlotBase() = default;
  virtual void recycle() noexcept = 0;
  std::atomic<std::uint32_t> owners{0};
  PoolCore* pool = nullptr;
  std::shared_ptr<PoolCore> keep;  // while leased, a slot keeps its pool alive
};

template <class T>
struct Slot final : SlotBase {
  explicit Slot(T made) : value(std::move(made)) {}
  void recycle() noexcept override {
    if constexpr (requires { value.recycle(); }) value.recycle();
  }
  T value;
};

/// Shared ownership of a slot, without its type. One pointer; copying counts an owner.
class SlotHandle {
 public:
  SlotHandle() noexcept = default;
  explicit SlotHandle(SlotBase* slot) noexcept : slot_(slot) {}  // adopts one owner
  SlotHandle(const SlotHandle& other) noexcept : slot_(other.slot_) {
    // Relaxed: a copy has an owner already, so the slot cannot return meanwhile.
    if (slot_ != nullptr) slot_->owners.fetch_add(1, std::memory_order_relaxed);
  }
  SlotHandle(SlotHandle&& other) noexcept : slot_(std::exchange(other.slot_, nullptr)) {}
  SlotHandle& operator=(SlotHandle other) noexcept {
    std::swap(slot_, other.slot_);
    return *this;
  }
  ~SlotHandle() { reset(); }

  void reset() noexcept;
  [[nodiscard]] explicit operator bool() const noexcept { return slot_ != nullptr; }
  [[nodiscard]] SlotBase* get() const noexcept { return slot_; }
  [[nodiscard]] bool is_sole_owner() const noexcept {
    return slot_ != nullptr && slot_->owners.load(std::memory_order_acquire) == 1;
  }

 private:
  SlotBase* slot_ = nullptr;
};

/// The free list of a pool, without the type of its slots.
class PoolCore : public std::enable_shared_from_this<PoolCore> {
 public:
  using MakeSlot = std::function<std::unique_ptr<SlotBase>()>;
  PoolCore(std::string name, int slots, Bytes each, std::int64_t capacity, MakeSlot make);

  void allocate();  // makes the slots; does nothing the second time
  [[nodiscard]] SlotHandle try_acquire();
  [[nodiscard]] SlotHandle acquire(std::stop_token stop);
  void give_back(SlotBase* slot) noexcept;
  void when_free(std::function<void()> callback);

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] int slots() const noexcept { return slot_count_; }
  [[nodiscard]] Bytes bytes_each() const noexcept { return each_; }
  [[nodiscard]] std::int64_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] int free_slots() const;

 private:
  [[nodiscard]] SlotHandle take_free();  // requires mutex_

  const std::string name_;
  const int slot_count_;
  const Bytes each_;
  const std::int64_t capacity_;
  const MakeSlot make_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable_any freed_;
  std::vector<std::unique_ptr<SlotBase>> slots_;
  // A ring. What has been free longest goes out first: a device may still be at work in the slots
  // that came back last, and their next user would wait for it.
  std::vector<SlotBase*> free_;
  std::size_t first_free_ = 0, free_count_ = 0;
  std::mutex callback_mutex_;  // guards callback_, also while it runs: see give_back()
  std::function<void()> callback_;
};

}  // namespace detail

/// A shared hold on a slot of a Pool<T>. Copies are cheap and hold the same slot; when the last one
/// is dropped, the slot is free again. May outlive the pool.
///
/// Thread safety: distinct leases may be used by distinct threads; the T is not protected.
template <class T>
class Lease {
 public:
  Lease() noexcept = default;
  explicit Lease(detail::SlotHandle handle) noexcept : handle_(std::move(handle)) {}

  [[nodiscard]] T& operator*() const noexcept { return slot()->value; }
  [[nodiscard]] T* operator->() const noexcept { return &slot()->value; }
  [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(handle_); }
  [[nodiscard]] bool is_sole_owner() const noexcept { return handle_.is_sole_owner(); }
  [[nodiscard]] const detail::SlotHandle& handle() const noexcept { return handle_; }
  void reset() noexcept { handle_.reset(); }

 private:
  [[nodiscard]] detail::Slot<T>* slot() const noexcept {
    return static_cast<detail::Slot<T>*>(handle_.get());
  }
  detail::SlotHandle handle_;
};

/// Makes slots and knows their size beforehand: a callable with `Bytes bytes() const`.
template <class F, class T>
concept SlotFactory =
    std::copy_constructible<F> && std::convertible_to<std::invoke_result_t<F&>, T>;

/// A factory from a callable and the bytes that one of its results holds.
template <class F>
struct Sized {
  Bytes size;
  F make;
  auto operator()() { return make(); }
  [[nodiscard]] Bytes bytes() const noexcept { return size; }
};
template <class F>
[[nodiscard]] Sized<F> sized(Bytes bytes_each, F make) {
  return {bytes_each, std::move(make)};
}

namespace detail {

template <class T, class F>
Bytes slot_bytes(const F& make) {
  if constexpr (requires {
                  { make.bytes() } -> std::convertible_to<Bytes>;
                }) {
    return make.bytes() + Bytes{sizeof(T)};
  } else {
    static_assert(std::is_trivially_copyable_v<T>,
                  "a slot that owns memory must say how much: give the factory a member "
                  "'Bytes bytes() const', or write sized(bytes, make)");
    return {sizeof(T)};
  }
}

template <class F>
std::int64_t slot_capacity(const F& make) {
  if constexpr (requires {
                  { make.capacity } -> std::convertible_to<std::int64_t>;
                }) {
    return make.capacity;
  } else {
    return 0;
  }
}

}  // namespace detail

/// A fixed number of T, made once; what a T holds stays in it from lease to lease. A T with a
/// member `void recycle() noexcept` is called when its slot becomes free: there it drops what must
/// not outlive the lease, such as leases of other pools. The handle is cheap to copy; copies are
/// the same pool.
///
///   Pool<Frame> frames("frames", 4, sized(1_MiB, [] { return Frame(1 << 20); }), budget);
///   if (auto frame = frames.try_acquire()) { use(*frame); }   // dropped: free again
///
/// Thread safety: all members may be called from any thread.
template <class T>
class Pool {
 public:
  /// A pool that stands alone: charges the budget, throws BudgetError if it does not fit,
  /// allocates.
  template <SlotFactory<T> F>
  Pool(std::string name, int slots, F make, Budget& budget)
      : Pool(deferred(std::move(name), slots, std::move(make))) {
    budget.charge_or_refuse(core_->name(), static_cast<std::uint64_t>(slots), core_->bytes_each());
    core_->allocate();
  }

  /// A free slot, or an empty lease.
  [[nodiscard]] Lease<T> try_acquire() { return Lease<T>(core_->try_acquire()); }
  /// Waits for a free slot; empty if stopped meanwhile. Never call it on a oneTBB worker.
  [[nodiscard]] Lease<T> acquire(std::stop_token stop = {}) {
    return Lease<T>(core_->acquire(std::move(stop)));
  }
  /// Calls `callback` after each return of a slot, on the thread that dropped the last lease;
  /// replaces the callback before, which is not running any more when this returns. An empty one:
  /// none. The callback must not drop leases of this pool or call when_free().
  void when_free(std::function<void()> callback) { core_->when_free(std::move(callback)); }

  [[nodiscard]] int slots() const noexcept { return core_->slots(); }
  [[nodiscard]] int free_slots() const { return core_->free_slots(); }
  [[nodiscard]] Bytes bytes() const noexcept {
    return static_cast<std::uint64_t>(slots()) * core_->bytes_each();
  }
  /// How much fits into a slot, such as samples of a batch: a member `capacity` of the factory, 0
  /// where it has none.
  [[nodiscard]] std::int64_t capacity() const noexcept { return core_->capacity(); }
  [[nodiscard]] const std::string& name() const noexcept { return core_->name(); }
  [[nodiscard]] const std::shared_ptr<detail::PoolCore>& core() const noexcept { return core_; }

 private:
  friend class Pipeline;
  explicit Pool(std::shared_ptr<detail::PoolCore> core) : core_(std::move(core)) {}

  template <class F>
  static std::shared_ptr<detail::PoolCore> deferred(std::string name, int slots, F make) {
    const Bytes each = detail::slot_bytes<T>(make);
    return std::make_shared<detail::PoolCore>(
        std::move(name), slots, each, detail::slot_capacity(make),
        [make = std::move(make)]() mutable {
          return std::unique_ptr<detail::SlotBase>(new detail::Slot<T>(make()));
        });
  }

  std::shared_ptr<detail::PoolCore> core_;
};

}  // namespace millrace
