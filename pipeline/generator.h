#pragma once
// A coroutine that yields values one by one: the easiest way to write a source. C++23 has
// std::generator; this is the part of it that pipelines need.
//
//   Generator<Line> lines(std::string path) {
//     std::ifstream file(path);
//     for (Line line; std::getline(file, line.text);) co_yield line;
//   }
//   for (const Line& line : lines("notes.txt")) print(line);
//
// Yield variables, or what a function returns: GCC 12 destroys an aggregate twice that is made in
// the expression, as in `co_yield Line{text, 7}`.

#include <coroutine>
#include <cstddef>
#include <exception>
#include <iterator>
#include <optional>
#include <type_traits>
#include <utility>

namespace millrace {

/// Move-only; the coroutine starts with the first next() or begin() and is destroyed with the
/// generator. A std::ranges::input_range. Thread safety: one thread at a time.
template <class T>
class Generator {
 public:
  struct promise_type {
    std::optional<T> value;
    std::exception_ptr error;

    Generator get_return_object() { return Generator(Handle::from_promise(*this)); }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    std::suspend_always final_suspend() const noexcept { return {}; }
    std::suspend_always yield_value(T yielded) {
      value.emplace(std::move(yielded));
      return {};
    }
    void return_void() const noexcept {}
    void unhandled_exception() noexcept { error = std::current_exception(); }
  };
  using value_type = T;

  Generator(Generator&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Generator& operator=(Generator other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Generator() {
    if (handle_) handle_.destroy();
  }

  /// The next value, or nothing at the end. Throws what the coroutine threw.
  [[nodiscard]] std::optional<T> next() {
    if (!advance(handle_)) return std::nullopt;
    return std::exchange(handle_.promise().value, std::nullopt);
  }

  /// At the value that came last, which lives in the coroutine until the next one, and may be moved
  /// from. Copies step together. Stays valid when the generator is moved.
  class Iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using iterator_category = std::input_iterator_tag;
    using value_type = std::remove_cv_t<T>;
    using difference_type = std::ptrdiff_t;
    using pointer = T*;
    using reference = T&;

    Iterator() = default;
    T& operator*() const { return *handle_.promise().value; }
    T* operator->() const { return &*handle_.promise().value; }
    Iterator& operator++() {
      advance(handle_);
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& it, std::default_sentinel_t) {
      return !it.handle_ || !it.handle_.promise().value;
    }

   private:
    friend class Generator;
    explicit Iterator(std::coroutine_handle<promise_type> handle) : handle_(handle) { ++*this; }
    std::coroutine_handle<promise_type> handle_;
  };
  /// The values that are left, once. What the coroutine throws comes out of begin() or ++.
  [[nodiscard]] Iterator begin() { return Iterator(handle_); }
  [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

 private:
  using Handle = std::coroutine_handle<promise_type>;
  explicit Generator(Handle handle) noexcept : handle_(handle) {}

  /// Whether there is a value.
  static bool advance(Handle handle) {
    if (!handle) return false;
    promise_type& promise = handle.promise();
    promise.value.reset();
    if (handle.done()) return false;
    handle.resume();
    if (promise.error) std::rethrow_exception(std::exchange(promise.error, {}));
    return promise.value.has_value();
  }

  Handle handle_;
};

}  // namespace millrace
