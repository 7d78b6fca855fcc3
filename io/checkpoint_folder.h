#pragma once
// The checkpoints of a run, named by the step that they were taken after: writes them, keeps the
// last few and the best, and finds the newest one that is whole.

#include <millrace/io/checkpoint.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace millrace {

/// A folder of files "step-00001200.ckpt", and a link "best.ckpt" to one of them.
///
/// Guarantees: an older checkpoint is deleted only after the new one is safe on the disk. The best
/// one and the one just written are never deleted.
/// Thread safety: none; one writer a folder. Others may read while it writes.
class CheckpointFolder {
 public:
  /// How many of the last checkpoints stay, the best one not counted; 0: all. Nothing is created
  /// before the first write().
  explicit CheckpointFolder(std::filesystem::path folder, std::size_t keep = 3);

  struct Entry {
    std::uint64_t step = 0;
    std::filesystem::path path{};
  };
  /// What last_good() came upon.
  struct Found {
    std::optional<Entry> entry{};        ///< none: no checkpoint is whole, or there is none
    Checkpoint checkpoint{};             ///< with empty arrays (read_checkpoint_values)
    std::vector<std::string> damaged{};  ///< what is wrong with the newer ones, a line each
  };

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return folder_; }
  [[nodiscard]] std::filesystem::path file_of(std::uint64_t step) const;
  /// All of them, newest first, unread. Empty if there is no folder. Other files are ignored.
  [[nodiscard]] std::vector<Entry> list() const;
  /// The step of the best one, if one was marked and is there.
  [[nodiscard]] std::optional<std::uint64_t> best() const;
  [[nodiscard]] std::filesystem::path best_file() const { return folder_ / "best.ckpt"; }
  /// Finds the newest one that is whole, which is read for that.
  [[nodiscard]] Found last_good() const;

  /// Removes what a killed writer left unfinished, writes the checkpoint, marks it as the best if
  /// `is_best`, and deletes the ones that need not be kept. Checkpoints of later steps are deleted
  /// too, unless one is the best: the run has begun again before them. Throws Error (disk), then
  /// nothing older is deleted.
  void write(std::uint64_t step, const Checkpoint& checkpoint, bool is_best = false);
  /// Makes "best.ckpt" lead to that checkpoint. Throws Error if it is not there.
  void mark_best(std::uint64_t step);

 private:
  void remove_unfinished() const;
  void remove_all_but_kept(std::uint64_t step) const;

  std::filesystem::path folder_;
  std::size_t keep_;
};

}  // namespace millrace
