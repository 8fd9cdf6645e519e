# application: ImageMagick
# version: convert -version
# needs: imagemagick
# set: matrix
convert -size 400x300 gradient:red-blue -swirl 90 a.miff && identify -format '%w %h %m %#\n' a.miff
convert a.miff -resize 50% -rotate 30 -blur 0x2 b.png && identify -format '%w %h %m %#\n' b.png
convert -size 200x200 plasma:fractal -seed 7 c.ppm && identify -format '%w %h\n' c.ppm
convert a.miff -colorspace Gray -edge 1 d.gif && compare -metric AE d.gif d.gif null: 2>&1; echo
convert a.miff b.png -append e.jpg && identify e.jpg | cut -d ' ' -f 2-3
montage a.miff b.png d.gif -label '' -tile 3x1 -geometry 100x100 f.png 2> /dev/null; identify -format '%w %h %#\n' f.png
convert a.miff b.png d.gif anim.gif && identify -format '%s %w\n' anim.gif
convert nowhere.png x.png 2>&1 | sed 's/@.*//'; convert -limit memory 1MiB -limit map 1MiB -size 2000x2000 gradient: -resize 10% g.png && identify -format '%w %#\n' g.png
