# application: Firefox
# version: firefox-esr --version
# needs: firefox-esr imagemagick
# set: matrix
# options: --memory 3g --pids-limit 1000
# A page with a script, headless, as a picture.
export HOME=$PWD; mkdir prof; echo '<body style="background:#123456"><script>document.title="x"; let b=new Uint8Array(10); document.body.innerText=[1,2,3].map(x=>x**2).join()</script></body>' > p.html
timeout 80 firefox-esr --headless --no-remote --profile $PWD/prof --screenshot $PWD/s.png --window-size=300,200 file://$PWD/p.html >/dev/null 2>err; echo "exit $?"; python3 -c "
import struct; d=open('s.png','rb').read(); print(struct.unpack('>II',d[16:24]), len(d)>500)"; convert s.png -crop 1x1+200+150 txt:- 2>/dev/null | tail -1
