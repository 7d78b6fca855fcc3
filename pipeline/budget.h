#pragma once
// The sum of all large memory of a run. Everything that holds many bytes is charged here before
// it is allocated, so that a run that does not fit is refused with the sum that shows why.

#include <millrace/core/bytes.h>
#include <millrace/core/error.h>

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace millrace {

/// The charges exceed the limit. The text holds the whole sum, a line a charge.
class BudgetError : public ErrorWithSum {
 public:
  using ErrorWithSum::ErrorWithSum;
};

/// A limit in bytes and what has been charged to it. Thread-safe.
class Budget {
 public:
  struct Charge {
    std::string name;
    std::uint64_t count = 1;  ///< how many of them
    Bytes each;
    [[nodiscard]] Bytes total() const noexcept { return count * each; }
  };

  /// A budget of 0 bytes is no limit: charges are only added up.
  explicit Budget(Bytes limit = {}) noexcept : limit_(limit) {}

  /// Adds a charge; never throws BudgetError, so that check() can show the whole sum.
  void charge(std::string name, std::uint64_t count, Bytes each);
  /// Adds a charge if it fits; otherwise throws BudgetError and adds nothing.
  void charge_or_refuse(std::string name, std::uint64_t count, Bytes each);
  /// Throws BudgetError when the charges exceed the limit.
  void check() const;

  [[nodiscard]] Bytes limit() const noexcept { return limit_; }
  [[nodiscard]] Bytes charged() const;
  [[nodiscard]] std::vector<Charge> charges() const;
  /// "host     3 x 73.5 MiB = 220.5 MiB", a line a charge, and the total.
  [[nodiscard]] std::string text() const;

 private:
  Bytes limit_;
  mutable std::mutex mutex_;  // guards charges_
  std::vector<Charge> charges_;
};

}  // namespace millrace
