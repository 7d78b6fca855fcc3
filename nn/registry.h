#pragma once
// Lists of what is known by name: the library's entries, then those that a program adds. Kinds of
// layers, losses and update rules each have one.

#include <millrace/core/error.h>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <typeinfo>
#include <utility>

namespace millrace::nn {

/// Every Entry has a `name()` and the `type` that it was made from. Entries stay where they are.
/// Thread-safe.
template <class Entry>
class Registry {
 public:
  /// `what`, for messages, is what an entry is called.
  Registry(const char* what, std::deque<Entry> library)
      : what_(what), entries_(std::move(library)) {}

  /// The place of the entry, which it gets the first time. Throws UsageError if the name is
  /// another type's, or none that can stand in a list and in a file.
  std::size_t add(const Entry& entry) {
    const std::string_view name = entry.name();
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      if (*entries_[i].type == *entry.type) return i;
      if (entries_[i].name() == name) {
        throw UsageError(
            concat(what_, " '", name, "': there is another of this name; call yours otherwise"));
      }
    }
    if (!is_name(name)) {
      throw UsageError(concat(what_, " '", name,
                              "': a name is letters, digits, '_', '-' and '.'; call it otherwise"));
    }
    entries_.push_back(entry);
    return entries_.size() - 1;
  }

  [[nodiscard]] const Entry& at(std::size_t place) const {
    const std::lock_guard lock(mutex_);
    MILLRACE_CHECK(place < entries_.size(), "there are ", entries_.size(), " of ", what_,
                   ", and no number ", place);
    return entries_[place];
  }
  [[nodiscard]] std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return entries_.size();
  }

  /// The place of the first entry that is so; nothing if there is none.
  template <class Predicate>
  [[nodiscard]] std::optional<std::size_t> find_if(Predicate is_so) const {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find_if(entries_, is_so);
    if (found == entries_.end()) return std::nullopt;
    return static_cast<std::size_t>(found - entries_.begin());
  }
  /// The place of the entry of that name. Throws UsageError that lists the names.
  [[nodiscard]] std::size_t find(std::string_view name) const {
    if (const auto place = find_if([&](const Entry& entry) { return entry.name() == name; })) {
      return *place;
    }
    std::string known;
    for (std::size_t i = 0; i < size(); ++i) known += concat(i == 0 ? "" : ", ", at(i).name());
    throw UsageError(concat("unknown ", what_, " '", name, "'; known: ", known));
  }

 private:
  static bool is_name(std::string_view name) {
    constexpr std::string_view kAllowed =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    return !name.empty() && name.find_first_not_of(kAllowed) == std::string_view::npos;
  }

  const char* what_;
  mutable std::mutex mutex_;
  std::deque<Entry> entries_;
};

}  // namespace millrace::nn
