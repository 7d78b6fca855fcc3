#pragma once
// Event files, which TensorBoard reads: curves, images and histograms over the steps of a run, in
// the form that TensorFlow 2 writes. Which values a training run writes is decided elsewhere.

#include <millrace/image/image.h>
#include <millrace/io/files.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string_view>

namespace millrace {

/// One event file in a folder, which TensorBoard calls a run. Runs that are resumed write a further
/// file into the same folder; TensorBoard reads them in the order of their names.
///
/// Guarantees: what was written is seen by readers at once, and a killed program leaves whole
/// events. Steps of a tag must not decrease: TensorBoard drops earlier ones.
/// Thread safety: none for one object; several may write into one folder.
///
///   EventWriter events("runs/first/train");
///   events.scalar("epoch_loss", epoch, loss);
class EventWriter {
 public:
  using Clock = std::function<double()>;  ///< seconds since 1970

  /// Makes the folder and, in it, "events.out.tfevents.<second>.<host>.<process>.<number>.v2".
  /// Throws Error naming it.
  explicit EventWriter(const std::filesystem::path& folder, Clock clock = system_seconds);

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return file_.path(); }

  /// A point of a curve; stored as float. All three throw Error (a full disk), and the file then
  /// ends with the last whole event.
  void scalar(std::string_view tag, std::int64_t step, double value);
  /// Stored as PNG.
  void image(std::string_view tag, std::int64_t step, ConstImageView image);
  /// An image that is one already: the bytes of a PNG file of this size.
  void image(std::string_view tag, std::int64_t step, std::span<const std::byte> png, int height,
             int width);
  /// `buckets` (at least 1) of equal width from the least to the greatest value; values that are
  /// not finite are left out. All values equal: they count in the last bucket.
  void histogram(std::string_view tag, std::int64_t step, std::span<const float> values,
                 int buckets = 30);

  static double system_seconds();

 private:
  template <class Message>
  void append(const Message& event);
  template <class Fill>
  void add(std::string_view tag, std::string_view plugin, std::int64_t step, Fill fill);

  Clock clock_;
  double opened_;  // before file_, which is named by it
  AppendFile file_;
};

}  // namespace millrace
