#pragma once
// A copyable value of any type in 32 bytes: what travels through the graph. Small types lie inside;
// others are shared between the copies, since stages read their items and do not change them.

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace millrace::detail {

class Item {
 public:
  Item() noexcept = default;
  template <class T>
  static Item of(T value) {
    Item item;
    if constexpr (is_small<T>) {
      ::new (item.bytes_) T(std::move(value));
      item.ops_ = &ops_for<T>;
    } else {
      using Shared = std::shared_ptr<T>;
      ::new (item.bytes_) Shared(std::make_shared<T>(std::move(value)));
      item.ops_ = &ops_for<Shared>;
    }
    return item;
  }
  Item(const Item& other) : ops_(other.ops_) {
    if (ops_ != nullptr) ops_->copy(bytes_, other.bytes_);
  }
  Item(Item&& other) noexcept : ops_(std::exchange(other.ops_, nullptr)) {
    if (ops_ != nullptr) ops_->move(bytes_, other.bytes_);
  }
  Item& operator=(const Item& other) {
    if (this != &other) *this = Item(other);
    return *this;
  }
  Item& operator=(Item&& other) noexcept {
    if (this != &other) {
      reset();
      ops_ = std::exchange(other.ops_, nullptr);
      if (ops_ != nullptr) ops_->move(bytes_, other.bytes_);
    }
    return *this;
  }
  ~Item() { reset(); }

  [[nodiscard]] explicit operator bool() const noexcept { return ops_ != nullptr; }
  /// Requires: made by of<T>.
  template <class T>
  [[nodiscard]] T& get() noexcept {
    if constexpr (is_small<T>)
      return *std::launder(reinterpret_cast<T*>(bytes_));
    else
      return **std::launder(reinterpret_cast<std::shared_ptr<T>*>(bytes_));
  }
  void reset() noexcept {
    if (ops_ != nullptr) std::exchange(ops_, nullptr)->destroy(bytes_);
  }

 private:
  static constexpr std::size_t kCapacity = 24;
  template <class T>
  static constexpr bool is_small =
      sizeof(T) <= kCapacity && alignof(T) <= alignof(void*) &&
      std::is_nothrow_copy_constructible_v<T>&& std::is_nothrow_move_constructible_v<T>;
  struct Ops {
    void (*copy)(void* to, const void* from);
    void (*move)(void* to, void* from) noexcept;  // and destroys `from`
    void (*destroy)(void* value) noexcept;
  };
  template <class T>
  static constexpr Ops ops_for = {
      [](void* to, const void* from) { ::new (to) T(*static_cast<const T*>(from)); },
      [](void* to, void* from) noexcept {
        ::new (to) T(std::move(*static_cast<T*>(from)));
        static_cast<T*>(from)->~T();
      },
      [](void* value) noexcept { static_cast<T*>(value)->~T(); }};

  alignas(void*) std::byte bytes_[kCapacity];
  const Ops* ops_ = nullptr;
};

}  // namespace millrace::detail
