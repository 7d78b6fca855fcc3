#include <millrace/core/number_range.h>

#include <millrace/core/error.h>
#include <millrace/core/json_text.h>

#include <cmath>
#include <cstdint>

namespace millrace {

bool NumberRange::contains(double value) const noexcept {
  return std::isfinite(value) && (is_open_below ? value > least : value >= least) &&
         (is_open_above ? value < most : value <= most);
}

bool NumberRange::is_bounded() const noexcept {
  return std::isfinite(least) || std::isfinite(most);
}

std::string NumberRange::text() const {
  if (!is_bounded()) return "a finite number";
  if (!std::isfinite(most))
    return is_open_below ? concat("above ", least) : concat(least, " or more");
  if (is_open_below && is_open_above) return concat("above ", least, " and below ", most);
  if (is_open_above) return concat("in [", least, ", ", most, ")");
  return concat("in ", json_number(least), " to ", static_cast<std::int64_t>(most),
                *unit == '\0' ? "" : " ", unit);
}

}  // namespace millrace
