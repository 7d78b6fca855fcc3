#include <millrace/pipeline/pool.h>

#include <millrace/core/error.h>
#include <millrace/core/plural.h>

#include <new>

namespace millrace::detail {

void SlotHandle::reset() noexcept {
  SlotBase* const slot = std::exchange(slot_, nullptr);
  if (slot == nullptr) return;
  // Release: what this owner wrote is seen by the next lease. Acquire: the last owner sees it all.
  if (slot->owners.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (slot->pool != nullptr)
    slot->pool->give_back(slot);
  else
    slot->recycle();  // a Bundle
}

PoolCore::PoolCore(std::string name, int slots, Bytes each, std::int64_t capacity, MakeSlot make)
    : name_(std::move(name)),
      slot_count_(slots),
      each_(each),
      capacity_(capacity),
      make_(std::move(make)) {
  if (slots < 1)
    throw UsageError(concat("pool '", name_, "': needs at least one slot, not ", slots));
}

void PoolCore::allocate() {
  const std::scoped_lock lock(mutex_);
  if (!slots_.empty()) return;
  std::vector<std::unique_ptr<SlotBase>> made;
  made.reserve(static_cast<std::size_t>(slot_count_));
  try {
    free_.reserve(static_cast<std::size_t>(slot_count_));  // nothing fails once there are slots
    for (int i = 0; i < slot_count_; ++i) {
      made.push_back(make_());
      made.back()->pool = this;
    }
  } catch (const std::bad_alloc&) {
    throw Error(concat("pool '", name_, "': out of memory for ", slot_count_, ' ',
                       plural(slot_count_, "slot"), " of ", each_,
                       "; fewer or smaller slots would help"));
  }
  slots_ = std::move(made);
  for (const auto& slot : slots_) free_.push_back(slot.get());
  free_count_ = free_.size();
}

SlotHandle PoolCore::take_free() {
  if (free_count_ == 0) return {};
  SlotBase* const slot = free_[first_free_];
  first_free_ = (first_free_ + 1) % free_.size();
  --free_count_;
  slot->owners.store(1, std::memory_order_relaxed);  // published by whatever hands the lease over
  slot->keep = shared_from_this();
  return SlotHandle(slot);
}

SlotHandle PoolCore::try_acquire() {
  const std::scoped_lock lock(mutex_);
  return take_free();
}

SlotHandle PoolCore::acquire(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  freed_.wait(lock, stop, [this] { return free_count_ > 0; });
  return take_free();
}

void PoolCore::give_back(SlotBase* slot) noexcept {
  const std::shared_ptr<PoolCore> keep = std::move(slot->keep);  // this may be the last owner
  slot->recycle();
  {
    const std::scoped_lock lock(mutex_);
    free_[(first_free_ + free_count_++) % free_.size()] = slot;
  }
  freed_.notify_one();
  // The callback runs under its lock so that when_free({}) can promise that it is not running any
  // more: a graph may then die while leases of its pools are still held elsewhere.
  const std::scoped_lock lock(callback_mutex_);
  if (callback_) callback_();
}

void PoolCore::when_free(std::function<void()> callback) {
  const std::scoped_lock lock(callback_mutex_);
  callback_ = std::move(callback);
}

int PoolCore::free_slots() const {
  const std::scoped_lock lock(mutex_);
  return static_cast<int>(free_count_);
}

}  // namespace millrace::detail
