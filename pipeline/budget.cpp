#include <millrace/pipeline/budget.h>

#include <algorithm>
#include <iomanip>
#include <utility>

namespace millrace {

void Budget::charge(std::string name, std::uint64_t count, Bytes each) {
  const std::scoped_lock lock(mutex_);
  charges_.push_back({std::move(name), count, each});
}

void Budget::charge_or_refuse(std::string name, std::uint64_t count, Bytes each) {
  const std::scoped_lock lock(mutex_);  // until the charge is there: two may not both fit alone
  Budget with(limit_);
  with.charges_ = charges_;
  with.charges_.push_back({std::move(name), count, each});
  with.check();
  charges_ = std::move(with.charges_);
}

Bytes Budget::charged() const {
  const std::scoped_lock lock(mutex_);
  Bytes sum;
  for (const Charge& charge : charges_) sum += charge.total();
  return sum;
}

std::vector<Budget::Charge> Budget::charges() const {
  const std::scoped_lock lock(mutex_);
  return charges_;
}

std::string Budget::text() const {
  const std::vector<Charge> lines = charges();
  std::size_t width = 5;
  for (const Charge& line : lines) width = std::max(width, line.name.size());
  std::ostringstream out;
  const auto name = [&](const std::string& text) -> std::ostream& {
    return out << "  " << std::left << std::setw(static_cast<int>(width)) << text << "  ";
  };
  for (const Charge& line : lines) {
    name(line.name) << std::right << std::setw(10) << to_string(line.total());
    if (line.count != 1) out << "  = " << line.count << " x " << line.each;
    out << '\n';
  }
  name("total") << std::right << std::setw(10) << to_string(charged());
  if (limit_.count != 0) out << "  of " << limit_;
  out << '\n';
  return std::move(out).str();
}

void Budget::check() const {
  const Bytes sum = charged();
  if (limit_.count == 0 || sum <= limit_) return;
  std::string lines = text();
  lines.pop_back();  // whoever prints the error ends the line
  throw BudgetError(concat("memory budget: the plan needs ", sum, " but the budget is ", limit_,
                           "; give more, or use smaller batches or images. The sum:\n", lines));
}

}  // namespace millrace
