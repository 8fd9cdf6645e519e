# application: ffmpeg
# version: ffmpeg -version
# needs: ffmpeg
# set: matrix
# Codecs that compute the same with any number of threads.
ff() { ffmpeg -v error -nostdin -y "$@"; }
ff -f lavfi -i testsrc=size=320x240:rate=25:duration=3 -f lavfi -i sine=frequency=440:duration=3 -c:v ffv1 -c:a pcm_s16le -threads 4 clip.mkv
ff -i clip.mkv -f md5 -; ff -i clip.mkv -map 0:v -f framemd5 - | tail -2
ff -i clip.mkv -vf scale=160:120,hflip -c:v mjpeg -threads 1 -bitexact -an small.avi && ff -i small.avi -f md5 -
ff -i clip.mkv -an -c:v libx264 -preset fast -threads 4 -bitexact x.mp4 && ffprobe -v error -count_frames -show_entries stream=codec_name,width,height,nb_read_frames -of csv x.mp4
ff -i clip.mkv -vn -c:a flac -bitexact a.flac && ff -i a.flac -f md5 -
ff -i clip.mkv -vf fps=1 frame%d.png && ls frame*.png
ff -i clip.mkv -f rawvideo -pix_fmt yuv420p - 2> /dev/null | ffmpeg -v error -f rawvideo -s 320x240 -pix_fmt yuv420p -i - -f md5 -
ff -i nowhere.mkv -f null - 2>&1; echo "exit $?"
