#pragma once
// A log of epochs as a CSV file, byte for byte as Keras's CSVLogger writes it, for scripts that
// read such files: the epoch from 0, then the metrics in the order of their names.

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace millrace {

/// The metrics of the first epoch fix the columns, unless they are given. If none of them begins
/// with val_, each gets a val_ column too. What an epoch lacks is NA, what it has besides is left
/// out. Lines end in CR LF, as in Excel's dialect. Thread safety: none.
class CsvLog {
 public:
  /// Replaces what is there. `columns`: for a resumed run that measures more than before; none:
  /// those of the first epoch. Throws Error that names the file.
  explicit CsvLog(std::filesystem::path path, const std::set<std::string>& columns = {});

  /// Appends an epoch and flushes. Throws Error (disk).
  void write(std::uint32_t epoch, const std::map<std::string, double>& metrics);

 private:
  void begin(std::vector<std::string> names);
  void write_line(const std::vector<std::string>& fields);

  std::filesystem::path path_;
  std::ofstream file_;
  std::vector<std::string> columns_;  // without the epoch
};

/// A number as Python prints it: the fewest digits that read back to the bit; 0.5, 1e-05, nan.
[[nodiscard]] std::string python_text(double value);

}  // namespace millrace
