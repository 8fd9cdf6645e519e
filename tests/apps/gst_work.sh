# application: GStreamer
# version: gst-launch-1.0 --version
# needs: gstreamer1.0-tools gstreamer1.0-plugins-base
# set: matrix
export HOME=$PWD; gst-launch-1.0 -q audiotestsrc num-buffers=50 ! audioconvert ! audio/x-raw,format=S16LE,channels=1,rate=8000 ! filesink location=o.raw; echo $?; md5sum < o.raw; gst-launch-1.0 -q videotestsrc num-buffers=10 ! videoconvert ! video/x-raw,format=RGB,width=64,height=48 ! queue ! filesink location=v.raw; md5sum < v.raw; gst-inspect-1.0 coreelements | grep -c queue
