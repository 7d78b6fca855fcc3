#pragma once
// A coroutine that yields values one by one: the easiest way to write a source. C++23 has
// std::generator; this is the part of it that pipelines need.
//
//   Generator<Line> lines(std::string path) {
//     std::ifstream file(path);
//     for (Line line; std::getline(file, line.text);) co_yield line;
//   }
//   for (const Line& line : lines("notes.txt")) print(line);

#include <coroutine>
#include <cstddef>
#include <exception>
#include <iterator>
#include <optional>
#include <utility>

namespace millrace {

/// Move-only; the coroutine starts with the first next() and is destroyed with the generator.
/// Thread safety: one thread at a time.
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
      value = std::move(yielded);
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
    if (!handle_ || handle_.done()) return std::nullopt;
    promise_type& promise = handle_.promise();
    promise.value.reset();
    handle_.resume();
    if (promise.error) std::rethrow_exception(std::exchange(promise.error, {}));
    return std::move(promise.value);
  }

  /// The values that are left, once. What the coroutine throws comes out of begin() or ++.
  class Iterator {
   public:
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;

    explicit Iterator(Generator& generator) : generator_(&generator), value_(generator.next()) {}
    const T& operator*() const { return *value_; }
    const T* operator->() const { return &*value_; }
    Iterator& operator++() {
      value_ = generator_->next();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& it, std::default_sentinel_t) { return !it.value_; }

   private:
    Generator* generator_;
    std::optional<T> value_;
  };
  [[nodiscard]] Iterator begin() { return Iterator(*this); }
  [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

 private:
  using Handle = std::coroutine_handle<promise_type>;
  explicit Generator(Handle handle) noexcept : handle_(handle) {}
  Handle handle_;
};

}  // namespace millrace
